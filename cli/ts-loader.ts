/** Loads a module of the user's, TypeScript or JavaScript, into this process. */
import Module from "node:module";
import path from "node:path";
import { IN_CHECKOUT, PACKAGE_ROOT } from "./package-root";

const PACKAGE_NAME = "iommufd-conformance";

type Resolve = (request: string, ...rest: readonly unknown[]) => string;

let ready = false;

/**
 * A module that imports "iommufd-conformance" gets this very harness, wherever it lies: two
 * copies would not know each other's handles.
 */
const prepare = (): void => {
  if (ready) return;
  ready = true;
  if (!isRegistered()) {
    const { register }: typeof import("ts-node") = require("ts-node");
    register({
      swc: true,
      skipProject: true,
      compilerOptions: { module: "node16", moduleResolution: "node16", target: "es2022" },
    });
  }
  const own = path.join(PACKAGE_ROOT, IN_CHECKOUT ? "index.ts" : "dist/index.js");
  const loader = Module as unknown as { _resolveFilename: Resolve };
  const resolve = loader._resolveFilename;
  loader._resolveFilename = (request, ...rest) =>
    request === PACKAGE_NAME ? own : resolve.call(Module, request, ...rest);
};

/** In a checkout the whole command line runs under ts-node already; under jest, jest does it. */
const isRegistered = (): boolean =>
  Reflect.get(process, Symbol.for("ts-node.register.instance")) !== undefined ||
  process.env["JEST_WORKER_ID"] !== undefined;

/** True once code that is not ours may run in this process. */
export const hasLoaded = (): boolean => ready;

export const loadModule = (file: string): unknown => {
  prepare();
  return require(file) as unknown;
};

/** Forms in which a place in a file is told: swc's, a SyntaxError's of Node, and a frame's. */
const PLACES = [
  /,-\[(.+?:\d+):\d+\]/gm,
  /^(\/.+?:\d+)$/gm,
  /^ *at (?:.+ \()?(\/.+?:\d+:\d+)\)?$/gm,
];

/** FILE:LINE of what made a module of the user's fail to load: no place of ours. */
export const placeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const { stack = "" } = error;
  // A compiled import is on no line of the source.
  const [importer] = (error as { readonly requireStack?: readonly string[] }).requireStack ?? [];
  if (importer !== undefined) return importer;
  return PLACES.flatMap((form) => [...stack.matchAll(form)])
    .map(([, place = ""]) => place)
    .find((place) => !place.includes("/node_modules/") && !place.startsWith(`${__dirname}/`));
};
