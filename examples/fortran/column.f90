! A column of cells that an exported surrogate advances: OpenMP over chunks of cells, a solver where the surrogate is not to be trusted.
!
!   astrochem export fortran --weights weights/grav --output outputs/c
!   cc -std=c99 -O3 -march=native -ffp-contract=fast -c outputs/c/surrogate.c
!   gfortran -O3 -march=native -fopenmp -cpp outputs/c/surrogate.f90 examples/fortran/column.f90 surrogate.o -lm -o column
!   ./column 100000 10
!
! With MPI (mpifort -DWITH_MPI in place of gfortran; mpirun -n 2) each rank has its share of the column; the results are the same.
! For a model that remembers more than its latents (surrogate_carry > 0) the step takes `carry` besides: see its README.
program column
  use surrogate
#ifdef WITH_MPI
  use mpi
#endif
  implicit none
  integer, parameter :: real64 = kind(1.0d0), int64 = selected_int_kind(15)
  ! Cells of a call: many make it fast. Shares begin at multiples of it.
  integer, parameter :: chunk = 256
  ! What a cell is flagged for that the solver is better at, and the expected error from which on it is, dex.
  integer, parameter :: doubtful = int(ior(surrogate_out_of_range, surrogate_not_finite))
  real(surrogate_real), parameter :: unreliable = 0.3
  real(surrogate_real), allocatable :: abundances(:, :)
  real(real64) :: ranges(2, surrogate_parameters), seconds
  integer :: cells, steps, chunks, from, to, k, first, last, rank, ranks
  logical :: calibrated
  integer(int64) :: solved, flagged, ticks, ticked, rate
  real(real64) :: total
  character(len=20) :: word
#ifdef WITH_MPI
  integer :: error
#endif

  rank = 0
  ranks = 1
#ifdef WITH_MPI
  call MPI_Init(error)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, error)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, error)
#endif
  cells = 100000
  steps = 10
  if (command_argument_count() > 0) then
    call get_command_argument(1, word)
    read (word, *) cells
  end if
  if (command_argument_count() > 1) then
    call get_command_argument(2, word)
    read (word, *) steps
  end if
  do k = 1, surrogate_parameters
    call surrogate_parameter_range(k, ranges(1, k), ranges(2, k))
  end do
  chunks = (cells + chunk - 1) / chunk
  from = chunks * rank / ranks
  to = chunks * (rank + 1) / ranks - 1
  allocate (abundances(surrogate_species, from * chunk + 1:max(from * chunk, min(cells, (to + 1) * chunk))))
  call start_of(abundances)

  calibrated = surrogate_trust_level() > 0 ! NaN where it is not
  solved = 0
  flagged = 0
  call system_clock(ticks, rate)
  !$omp parallel do schedule(dynamic, 1) private(first, last) reduction(+:solved, flagged)
  do k = from, to
    first = k * chunk + 1
    last = min(cells, (k + 1) * chunk)
    call advance(first, abundances(:, first:last), solved, flagged)
  end do
  !$omp end parallel do
  call system_clock(ticked)
  seconds = real(ticked - ticks, real64) / real(rate, real64)
  total = sum(log10(real(max(abundances, 1e-30), real64)))
#ifdef WITH_MPI
  call MPI_Allreduce(MPI_IN_PLACE, solved, 1, MPI_INTEGER8, MPI_SUM, MPI_COMM_WORLD, error)
  call MPI_Allreduce(MPI_IN_PLACE, flagged, 1, MPI_INTEGER8, MPI_SUM, MPI_COMM_WORLD, error)
  call MPI_Allreduce(MPI_IN_PLACE, total, 1, MPI_DOUBLE_PRECISION, MPI_SUM, MPI_COMM_WORLD, error)
  call MPI_Allreduce(MPI_IN_PLACE, seconds, 1, MPI_DOUBLE_PRECISION, MPI_MAX, MPI_COMM_WORLD, error)
#endif
  if (rank == 0) then
    print '(i0, a, i0, a, i0, a)', cells, ' cells, ', steps, ' steps: ', int(cells / max(seconds, 1d-9), int64), &
      ' cells/s (encode, all steps, decode)'
    write (*, '(i0, a, i0, a, i0, a)', advance='no') solved, ' of ', int(cells, int64) * steps, &
      ' steps of cells went to the solver: ', flagged, ' flagged, '
    if (calibrated) then
      print '(i0, a, f0.1, a)', solved - flagged, ' expected to be off by more than 0', unreliable, ' dex'
    else
      print '(a)', 'no errors are known (not calibrated)'
    end if
    print '(a, es17.10)', 'mean log10 abundance ', total / (real(cells, real64) * surrogate_species)
  end if
#ifdef WITH_MPI
  call MPI_Finalize(error)
#endif

contains

  ! Advances cells that lie together, the first of them by its index in the column.
  subroutine advance(first, abundances, solved, flagged)
    integer, intent(in) :: first
    real(surrogate_real), intent(inout) :: abundances(:, :)
    integer(int64), intent(inout) :: solved, flagged
    real(surrogate_real) :: physical(surrogate_parameters, size(abundances, 2)), totals(surrogate_totals, size(abundances, 2))
    real(surrogate_real) :: latents(surrogate_latents, size(abundances, 2)), before(surrogate_latents, size(abundances, 2))
    real(surrogate_real) :: trust(surrogate_trust_size, size(abundances, 2)), expected(size(abundances, 2))
    integer(surrogate_flag) :: flags(size(abundances, 2))
    integer :: i, step
    expected = 0
    call surrogate_totals_of(abundances, totals)
    call surrogate_encode(abundances, latents)
    if (calibrated) call surrogate_trust_begin(abundances, trust)
    do step = 1, steps
      do i = 1, size(abundances, 2)
        call conditions_of(first + i - 1, step, physical(:, i))
      end do
      before = latents
      if (calibrated) call surrogate_trust_step(physical, latents, trust, expected_error=expected)
      call surrogate_step(physical, latents, flags)
      do i = 1, size(abundances, 2)
        if (iand(int(flags(i)), doubtful) == 0 .and. expected(i) <= unreliable) cycle
        call surrogate_decode(before(:, i:i), abundances(:, i:i), totals=totals(:, i:i))
        call solve(physical(:, i), abundances(:, i))
        call surrogate_encode(abundances(:, i:i), latents(:, i:i))
        if (calibrated) call surrogate_trust_begin(abundances(:, i:i), trust(:, i:i))
        solved = solved + 1
        if (iand(int(flags(i)), doubtful) /= 0) flagged = flagged + 1
      end do
    end do
    call surrogate_decode(latents, abundances, totals=totals)
  end subroutine advance

  ! Here stands your solver, over one time step. This one lets nothing happen.
  subroutine solve(conditions, abundances)
    real(surrogate_real), intent(in) :: conditions(:)
    real(surrogate_real), intent(inout) :: abundances(:)
    if (size(conditions) == 0) abundances = abundances
  end subroutine solve

  ! Like those of the bundled collapses: denser and warmer along the column, dark and cold at first. Of the last cells 4 % are never
  ! cold, which no trained trajectory was, and 1 % are denser than anything trained.
  subroutine conditions_of(cell, step, physical)
    integer, intent(in) :: cell, step
    real(surrogate_real), intent(out) :: physical(:)
    character(len=8), parameter :: names(4) = ['Density ', 'Radfield', 'Av      ', 'gasTemp ']
    real(real64), parameter :: top(4) = [1.4d6, 1d-2, 25d0, 35d0], bottom(4) = [5d6, 1d-2, 500d0, 43d0]
    real(real64), parameter :: first(4) = [0d0, 1d-4, 0d0, 13.3d0]
    real(real64) :: place, value
    integer :: i, k
    place = (cell - 0.5d0) / cells
    do k = 1, size(physical)
      value = (ranges(1, k) + ranges(2, k)) / 2
      if (ranges(1, k) > 0) value = sqrt(ranges(1, k) * ranges(2, k))
      do i = 1, size(names)
        if (surrogate_parameter_name(k) /= names(i)) cycle
        value = top(i) * (bottom(i) / top(i))**place * (1 + 0.05d0 * sin(6 * place + 0.3d0 * (step + k - 2)))
        if (step == 1 .and. place < 0.95d0 .and. first(i) > 0) value = first(i)
      end do
      physical(k) = real(min(max(value, ranges(1, k)), ranges(2, k)), surrogate_real)
    end do
    if (place > 0.99d0) physical(1) = real(10 * ranges(2, 1), surrogate_real)
  end subroutine conditions_of

  ! What UCLCHEM starts with: atoms and ions, half of the hydrogen in molecules. Other elements than the training's are expected to be
  ! far off.
  subroutine start_of(abundances)
    real(surrogate_real), intent(out) :: abundances(:, :)
    character(len=3), parameter :: names(12) = ['H  ', 'H2 ', 'HE ', 'O  ', 'E- ', 'C+ ', 'N  ', 'S+ ', 'MG ', 'SI+', 'CL+', 'C  ']
    real(surrogate_real), parameter :: values(12) = [0.5, 0.25, 0.1, 3.34e-4, 1.82324e-4, 1.77e-4, 6.18e-5, 3.51e-6, 2.256e-6, &
      1.78e-6, 3.39e-8, 1e-10]
    integer :: i, s
    abundances = 1e-20
    do i = 1, size(names)
      s = surrogate_index(trim(names(i)))
      if (s > 0) abundances(s, :) = values(i)
    end do
  end subroutine start_of

end program column
