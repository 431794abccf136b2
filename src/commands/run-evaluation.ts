import { relative } from "node:path";
import type { EvaluationRequest, EvaluationTools } from "../analysis/evaluation-setup.ts";
import type { EvaluationShard, EvaluationShards } from "../analysis/evaluation-shards.ts";
import type { Metrics } from "../analysis/evaluation-types.ts";
import type { EvaluationSamples } from "../analysis/sample-types.ts";
import type { LoadedConfig } from "../config/load.ts";
import { evaluationShards } from "../config/paths.ts";
import { counted } from "../counted.ts";
import { whileWriting } from "../formats/lock.ts";
import { checksOf } from "./check-options.ts";
import type { CommandContext } from "./command.ts";
import type { OpenedEvaluation } from "./evaluation-job.ts";
import { type Run, withRun } from "./run-folder.ts";
import { commandOfShard, tellShard } from "./shard-words.ts";

/** What an evaluation left: its numbers, and the files in its run folder. */
export interface DoneEvaluation {
  readonly folder: string;
  readonly metrics: Metrics;
  readonly files: Readonly<Record<"metrics" | "csv" | "samples" | "report", string>>;
}

/**
 * Evaluates what a configuration names, in a run folder of its own; or makes one of the shards of it.
 * @param tell  says what came of it, before the run ends
 * @throws CheckpointError, DataError, ConfigError
 */
export async function runEvaluation(
  loaded: LoadedConfig<"config_evaluate">,
  context: CommandContext,
  tell: (done: DoneEvaluation) => void,
): Promise<void> {
  const { openEvaluation } = await import("./evaluation-job.ts");
  await withRun("evaluate", loaded, context, async (run) => {
    const log = run.tell;
    const folder = relative(context.cwd, run.folder) || run.folder;
    log(`run folder: ${folder}`);
    const opened = await openEvaluation(loaded.config, checksOf(context), log);
    try {
      const { engine, device, threads, reason } = opened.request.surrogate.compute;
      run.describeBackend({ name: `${engine} on ${device}, ${counted(threads, "thread")}`, reason });
      const tools = { log, signal: context.signal, now: context.now };
      const { shards: count, shard } = loaded.config;
      if (count === null) return await evaluate(opened, tools, null, { run, context, tell });
      const shards = {
        count,
        folder: evaluationShards(loaded.config),
        command: (index: number) => commandOfShard(index, context),
      };
      if (shard === null) return await evaluate(opened, tools, shards, { run, context, tell });
      return await makeShard(opened.request, tools, { ...shards, index: shard }, { run, context });
    } finally {
      await opened.close();
    }
  });
}

interface Surroundings {
  readonly run: Run;
  readonly context: CommandContext;
}

/** In this process, or of shards that are there. */
async function evaluate(
  { request, training }: OpenedEvaluation,
  tools: EvaluationTools,
  shards: EvaluationShards | null,
  { run, context, tell }: Surroundings & { readonly tell: (done: DoneEvaluation) => void },
) {
  const [{ evaluateSurrogate }, { openEvaluationShards }, { writeMetrics }] = await Promise.all([
    import("../analysis/evaluate.ts"),
    import("../analysis/evaluation-shards.ts"),
    import("../analysis/metrics-file.ts"),
  ]);
  const findings = shards && (await openEvaluationShards(request, shards));
  const found = await evaluateSurrogate(request, tools, findings).finally(() => findings?.close());
  const { metrics } = found;
  const samples: EvaluationSamples = { ...found.samples, training };
  const written = writeMetrics(run.folder, metrics, samples);
  tools.log("drawing the report's figures");
  const { writeReport } = await import("../analysis/report/write-report.ts");
  const files = { ...written, ...(await writeReport(run.folder, metrics, samples, context.signal)) };
  context.statusLine.clear();
  tell({ folder: relative(context.cwd, run.folder) || run.folder, metrics, files });
  return { ...files, rows_hash: metrics.provenance.rows_hash };
}

async function makeShard(
  request: EvaluationRequest,
  tools: EvaluationTools,
  shard: EvaluationShards & { readonly index: number },
  { run, context }: Surroundings,
): Promise<EvaluationShard> {
  const [{ writeEvaluationShard }, { shardFile }] = await Promise.all([
    import("../analysis/evaluation-shards.ts"),
    import("../data/shard-file.ts"),
  ]);
  const made = await whileWriting(shardFile(shard.folder, shard.index, shard.count), () =>
    writeEvaluationShard(request, tools, shard),
  );
  tellShard(made, run.folder, context);
  return made;
}
