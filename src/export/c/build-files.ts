/** Flags that the numbers need for their speed: `-std=c99` alone forbids gcc to multiply and add in one instruction. */
const speed = "-O3 -march=native -ffp-contract=fast";

/** `Makefile`. */
export function makefile(name: string): string {
  return `# Written by astrochem. \`make\` builds lib${name}.a, \`make check\` compares it with known results.
# -march=native: for the processor of this machine; give another in CFLAGS where the program runs elsewhere.
CC ?= cc
FC = gfortran
CFLAGS ?= ${speed}
FFLAGS ?= ${speed}
C = $(CC) -std=c99 -Wall -Wextra $(CFLAGS)

all: lib${name}.a

lib${name}.a: ${name}.o
	$(AR) rcs $@ $^

${name}.o: ${name}.c ${name}.h
	$(C) -c $< -o $@

# The Fortran module.
${name}_f.o: ${name}.f90
	$(FC) -std=f2003 -Wall $(FFLAGS) -c $< -o $@

check_c: check.c lib${name}.a
	$(C) $< lib${name}.a -lm -o $@

check_f: check.f90 ${name}_f.o lib${name}.a
	$(FC) -std=f2003 -Wall $(FFLAGS) $< ${name}_f.o lib${name}.a -lm -o $@

check: check_c check_fortran
	./check_c

# Without a Fortran compiler the check of C alone.
check_fortran:
	@if command -v $(FC) >/dev/null; then $(MAKE) check_f && ./check_f; else echo "no $(FC): the Fortran module is not checked"; fi

clean:
	rm -f *.o *.a *.mod check_c check_f

.PHONY: all check check_fortran clean
`;
}

/** `CMakeLists.txt`. */
export function cmakeFile(name: string): string {
  return `# Written by astrochem. In your project: add_subdirectory(this folder) and target_link_libraries(your_program ${name}).
cmake_minimum_required(VERSION 3.13)
project(${name} C)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
add_library(${name} STATIC ${name}.c)
set_target_properties(${name} PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
target_include_directories(${name} PUBLIC \${CMAKE_CURRENT_SOURCE_DIR})
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(${name} PRIVATE ${speed})
endif()
if(UNIX)
  target_link_libraries(${name} PUBLIC m)
endif()
enable_testing()
add_executable(${name}_check check.c)
target_link_libraries(${name}_check ${name})
add_test(NAME ${name}_check COMMAND ${name}_check)

include(CheckLanguage)
check_language(Fortran)
if(CMAKE_Fortran_COMPILER)
  enable_language(Fortran)
  add_library(${name}_fortran STATIC ${name}.f90)
  target_include_directories(${name}_fortran PUBLIC \${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${name}_fortran PUBLIC ${name})
  add_executable(${name}_check_fortran check.f90)
  target_link_libraries(${name}_check_fortran ${name}_fortran)
  add_test(NAME ${name}_check_fortran COMMAND ${name}_check_fortran)
endif()
`;
}
