// Runs the checks of one application against a server and prints the transcript: `node run.mjs CHECKS URL`.
import { pathToFileURL } from 'node:url';
import { Run } from './lib.mjs';

const [checks, url] = process.argv.slice(2);
const run = new Run(url);
const { default: body } = await import(pathToFileURL(checks).href);
await body(run);
run.agent.destroy();
console.log(`${run.lines.join('\n')}\n${run.checks} checks`);
process.exit(0);
