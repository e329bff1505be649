// A list of checks that counts itself, and the SDKs from where `.ci/sdk` has put them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";

export const installed = createRequire(`${process.env.SDK_HOME}/package.json`);
export const { z } = installed("zod");

/** What differs by who serves; see journey/facts.rs. */
export const facts = JSON.parse(process.env.SDK_FACTS);

/** Runs every function of `checks` in order; fails at the end when one did. */
export async function run(checks) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    console.log("check", name);
    try {
      await check();
    } catch (error) {
      failed += 1;
      console.log(error);
    }
  }
  console.log(failed ? `${failed} checks failed` : `OK ${Object.keys(checks).length} checks`);
  process.exit(failed ? 1 : 0);
}

/** Holds still until the test has seen that the call for this model is gone at the upstream. */
export async function left(model) {
  console.log("WAIT", model);
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

/** The ids of tool calls: those of the provider, or different ones where it gives none. */
export function ids(got, wanted) {
  if (facts.ids) same(got, wanted);
  ok(got.every(Boolean) && new Set(got).size === wanted.length, `${got}`);
}
