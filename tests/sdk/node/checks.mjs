// A list of checks that counts itself, and the SDKs from where `.ci/sdk` has put it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";

const installed = createRequire(`${process.env.SDK_HOME}/package.json`);
export const OpenAI = installed("openai").OpenAI;
export const Anthropic = installed("@anthropic-ai/sdk").Anthropic;
export const { zodResponseFormat } = installed("openai/helpers/zod");
export const { z } = installed("zod");

/** Runs every function of `checks` in order; the first that throws ends the script. */
export async function run(checks) {
  for (const [name, check] of Object.entries(checks)) {
    console.log("check", name);
    await check();
  }
  console.log("OK", Object.keys(checks).length, "checks");
  process.exit(0);
}

/** Holds still until the test says go on. */
export async function wait(what) {
  console.log("WAIT", what);
  process.stdin.resume();
  await once(process.stdin, "data");
  process.stdin.pause();
}

export async function raises(kind, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor.name, kind.name, `${error.stack}`);
    return error;
  }
  assert.fail(`${kind.name} was not raised`);
}

export async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

export const same = assert.deepEqual;
export const ok = assert.ok;
