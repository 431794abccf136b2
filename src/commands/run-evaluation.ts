import { relative } from "node:path";
import type { Metrics } from "../analysis/evaluation-types.ts";
import type { EvaluationSamples } from "../analysis/sample-types.ts";
import type { LoadedConfig } from "../config/load.ts";
import { counted } from "../counted.ts";
import { checksOf } from "./check-options.ts";
import type { CommandContext } from "./command.ts";
import { withRun } from "./run-folder.ts";

/** What an evaluation left: its numbers, and the files in its run folder. */
export interface DoneEvaluation {
  readonly folder: string;
  readonly metrics: Metrics;
  readonly files: Readonly<Record<"metrics" | "csv" | "samples" | "report", string>>;
}

/**
 * Evaluates what a configuration names, in a run folder of its own.
 * @param tell  says what came of it, before the run ends
 * @throws CheckpointError, DataError, ConfigError
 */
export async function runEvaluation(
  loaded: LoadedConfig<"config_evaluate">,
  context: CommandContext,
  tell: (done: DoneEvaluation) => void,
): Promise<void> {
  const [{ openEvaluation }, { evaluateSurrogate }, { writeMetrics }] = await Promise.all([
    import("./evaluation-job.ts"),
    import("../analysis/evaluate.ts"),
    import("../analysis/metrics-file.ts"),
  ]);
  await withRun("evaluate", loaded, context, async (run) => {
    const log = run.tell;
    const folder = relative(context.cwd, run.folder) || run.folder;
    log(`run folder: ${folder}`);
    const { request, training, close } = await openEvaluation(loaded.config, checksOf(context), log);
    try {
      const { engine, device, threads, reason } = request.surrogate.compute;
      run.describeBackend({ name: `${engine} on ${device}, ${counted(threads, "thread")}`, reason });
      const found = await evaluateSurrogate(request, { log, signal: context.signal, now: context.now });
      const { metrics } = found;
      const samples: EvaluationSamples = { ...found.samples, training };
      const written = writeMetrics(run.folder, metrics, samples);
      log("drawing the report's figures");
      const { writeReport } = await import("../analysis/report/write-report.ts");
      const files = { ...written, ...(await writeReport(run.folder, metrics, samples, context.signal)) };
      context.statusLine.clear();
      tell({ folder, metrics, files });
      return { ...files, rows_hash: metrics.provenance.rows_hash };
    } finally {
      await close();
    }
  });
}
