import protobuf from "protobufjs/light.js";

/** The operator set that every graph here is written for, and the file format that goes with it. */
export const onnxOpset = 18;
const irVersion = 8;

/** ONNX's element types, the ones used here. */
const onnxTypes = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;
export type OnnxType = keyof typeof onnxTypes;

export type AttributeValue = number | readonly number[] | string;
/** An attribute is an integer unless wrapped: ONNX tells 1 from 1.0. */
export interface FloatAttribute {
  readonly float: number;
}

/** One operation. Empty input names are inputs left out. */
export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue | FloatAttribute>>;
}

/** A constant of the graph, little-endian as in memory. */
export interface OnnxConstant {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
}

/** A named input or output; a string in the shape is a dimension that may differ from call to call. */
export interface OnnxPort {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
}

/** A graph, ready to be written. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

const field = (id: number, type: string, rule?: "repeated"): { id: number; type: string; rule?: "repeated" } =>
  rule ? { id, type, rule } : { id, type };

/** The part of onnx.proto (ONNX 1.13, Apache-2.0) that a writer of graphs needs. */
const schema = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        ir_version: field(1, "int64"),
        producer_name: field(2, "string"),
        producer_version: field(3, "string"),
        graph: field(7, "Graph"),
        opset_import: field(8, "Opset", "repeated"),
        metadata_props: field(14, "Entry", "repeated"),
      },
    },
    Opset: { fields: { domain: field(1, "string"), version: field(2, "int64") } },
    Entry: { fields: { key: field(1, "string"), value: field(2, "string") } },
    Graph: {
      fields: {
        node: field(1, "Node", "repeated"),
        name: field(2, "string"),
        initializer: field(5, "Tensor", "repeated"),
        input: field(11, "ValueInfo", "repeated"),
        output: field(12, "ValueInfo", "repeated"),
      },
    },
    Node: {
      fields: {
        input: field(1, "string", "repeated"),
        output: field(2, "string", "repeated"),
        op_type: field(4, "string"),
        attribute: field(5, "Attribute", "repeated"),
      },
    },
    Attribute: {
      fields: {
        name: field(1, "string"),
        f: field(2, "float"),
        i: field(3, "int64"),
        s: field(4, "bytes"),
        ints: field(8, "int64", "repeated"),
        type: field(20, "int32"),
      },
    },
    Tensor: {
      fields: {
        dims: field(1, "int64", "repeated"),
        data_type: field(2, "int32"),
        name: field(8, "string"),
        raw_data: field(9, "bytes"),
      },
    },
    ValueInfo: { fields: { name: field(1, "string"), type: field(2, "Type") } },
    Type: { fields: { tensor_type: field(1, "TensorType") } },
    TensorType: { fields: { elem_type: field(1, "int32"), shape: field(2, "Shape") } },
    Shape: { fields: { dim: field(1, "Dimension", "repeated") } },
    Dimension: { fields: { dim_value: field(1, "int64"), dim_param: field(2, "string") } },
  },
});
const modelType = schema.lookupType("Model");

/** The bytes of an ONNX file. `metadata` goes into its key-value properties. */
export function encodeOnnx(graph: OnnxGraph, version: string, metadata: Record<string, string> = {}): Uint8Array {
  const message = {
    ir_version: irVersion,
    producer_name: "astrochem",
    producer_version: version,
    opset_import: [{ domain: "", version: onnxOpset }],
    metadata_props: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: graph.nodes.map(encodeNode),
      initializer: graph.constants.map(({ name, type, shape, data }) => ({
        dims: shape,
        data_type: onnxTypes[type],
        name,
        raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      })),
      input: graph.inputs.map(encodePort),
      output: graph.outputs.map(encodePort),
    },
  };
  return modelType.encode(message).finish();
}

function encodeNode({ op, inputs, outputs, attributes }: OnnxNode): object {
  return {
    op_type: op,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([name, value]) => ({ name, ...encodeAttribute(value) })),
  };
}

function encodeAttribute(value: AttributeValue | FloatAttribute): object {
  const kinds = { float: 1, int: 2, string: 3, ints: 7 };
  if (typeof value === "number") return { i: value, type: kinds.int };
  if (typeof value === "string") return { s: new TextEncoder().encode(value), type: kinds.string };
  if ("float" in value) return { f: value.float, type: kinds.float };
  return { ints: value, type: kinds.ints };
}

function encodePort({ name, type, shape }: OnnxPort): object {
  const dim = shape.map((length) => (typeof length === "string" ? { dim_param: length } : { dim_value: length }));
  return { name, type: { tensor_type: { elem_type: onnxTypes[type], shape: { dim } } } };
}

/** An input or output of a file; of other types than those written here the type is ONNX's number. */
export interface OnnxPortSummary {
  readonly name: string;
  readonly type: string;
  /** Text is a length that may differ from call to call. */
  readonly shape: OnnxPort["shape"];
}

/** What an ONNX file says of itself. */
export interface OnnxSummary {
  /** The program that wrote it, and its version. */
  readonly producer: string;
  /** Of ONNX's own operations; null where the file does not say. */
  readonly opset: number | null;
  readonly nodes: number;
  /** Numbers in all constants. */
  readonly parameters: number;
  readonly inputs: readonly OnnxPortSummary[];
  readonly outputs: readonly OnnxPortSummary[];
  readonly metadata: Readonly<Record<string, string>>;
}

interface DecodedPort {
  name?: string;
  type?: { tensor_type?: { elem_type?: number; shape?: { dim?: { dim_value?: number; dim_param?: string }[] } } };
}
interface DecodedModel {
  producer_name?: string;
  producer_version?: string;
  opset_import?: { domain?: string; version?: number }[];
  metadata_props?: { key?: string; value?: string }[];
  graph?: { node?: object[]; initializer?: { dims?: number[] }[]; input?: DecodedPort[]; output?: DecodedPort[] };
}

/** Reads what an ONNX file says of itself; null where the bytes are none. Nothing in it is run. */
export function summarizeOnnx(bytes: Uint8Array): OnnxSummary | null {
  let model: DecodedModel;
  try {
    model = modelType.toObject(modelType.decode(bytes), { longs: Number });
  } catch {
    return null;
  }
  const { graph, producer_name = "unknown", producer_version = "" } = model;
  // Nearly any bytes are some message, but not one with a result.
  if (graph?.output === undefined) return null;
  const constants = graph.initializer ?? [];
  return {
    producer: `${producer_name} ${producer_version}`.trimEnd(),
    opset: model.opset_import?.find(({ domain = "" }) => domain === "")?.version ?? null,
    nodes: graph.node?.length ?? 0,
    parameters: constants.reduce((sum, { dims = [] }) => sum + dims.reduce((a, b) => a * b, 1), 0),
    inputs: (graph.input ?? []).map(decodePort),
    outputs: graph.output.map(decodePort),
    metadata: Object.fromEntries((model.metadata_props ?? []).map(({ key = "", value = "" }) => [key, value])),
  };
}

function decodePort({ name = "", type }: DecodedPort): OnnxPortSummary {
  const { elem_type = 0, shape } = type?.tensor_type ?? {};
  const known = Object.entries(onnxTypes).find(([, number]) => number === elem_type);
  return {
    name,
    type: known?.[0] ?? String(elem_type),
    shape: (shape?.dim ?? []).map(({ dim_value, dim_param = "?" }) => dim_value ?? dim_param),
  };
}
