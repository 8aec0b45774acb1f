// The TextMate grammar, held against what the compiler says of every token of tests/lang and specs.
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const oniguruma = require('vscode-oniguruma');
const { INITIAL, Registry } = require('vscode-textmate');

const root = path.join(__dirname, '../../..');
const coec = process.env.COEC || path.join(root, 'target/release/coec');

async function grammar() {
  const wasm = fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
  await oniguruma.loadWASM(wasm.buffer);
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => {
      const file = path.join(__dirname, '../syntaxes/coe.tmLanguage.json');
      return JSON.parse(fs.readFileSync(file, 'utf8'));
    },
  });
  return registry.loadGrammar('source.coe');
}

/** The scopes at each character of each line. */
function scopes(grammar, text) {
  let state = INITIAL;
  return text.split('\n').map((line) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    state = ruleStack;
    return (at) => tokens.find((token) => token.startIndex <= at && at < token.endIndex)?.scopes.join(' ') ?? '';
  });
}

/** A client of `coec lsp` that asks one thing after the other. */
class Server {
  constructor() {
    this.process = spawn(coec, ['lsp'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = new Map();
    this.buffer = Buffer.alloc(0);
    this.number = 0;
    this.process.stdout.on('data', (data) => this.take(data));
  }

  take(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      const end = this.buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/.exec(this.buffer.subarray(0, end))[1]);
      if (this.buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.buffer.subarray(end + 4, end + 4 + length));
      this.buffer = this.buffer.subarray(end + 4 + length);
      this.waiting.get(message.id)?.(message.result);
    }
  }

  send(message) {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.process.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  ask(method, params) {
    const id = ++this.number;
    this.send({ id, method, params });
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }
}

/** Which scope a kind of token must have; the others may have any. */
const EXPECTED = {
  keyword: 'keyword.control',
  class: 'entity.name.type.class',
  function: 'entity.name.function',
  macro: 'support.constant.figure',
  number: 'constant.numeric',
  string: 'string.quoted',
  comment: 'comment',
  property: 'variable',
};

function specs(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return specs(file);
    return entry.name.endsWith('.coe') ? [file] : [];
  });
}

test('every token of a spec has the scope of what it is', async () => {
  const coe = await grammar();
  const server = new Server();
  const { capabilities } = await server.ask('initialize', { processId: null, rootUri: null, capabilities: {} });
  server.send({ method: 'initialized', params: {} });
  const kinds = capabilities.semanticTokensProvider.legend.tokenTypes;
  const files = [...specs(path.join(root, 'tests/lang/pass')), ...specs(path.join(root, 'specs'))];
  assert.ok(files.length > 60, `${files.length} specs`);
  const wrong = [];
  for (const file of files) {
    const text = fs.readFileSync(file, 'utf8');
    const uri = `file://${file}`;
    server.send({
      method: 'textDocument/didOpen',
      params: { textDocument: { uri, languageId: 'coe', version: 1, text } },
    });
    const { data } = await server.ask('textDocument/semanticTokens/full', { textDocument: { uri } });
    const lines = scopes(coe, text);
    let [line, at] = [0, 0];
    for (let i = 0; i < data.length; i += 5) {
      const [down, right, length, kind] = data.slice(i, i + 4);
      [line, at] = down > 0 ? [line + down, right] : [line, at + right];
      const expected = EXPECTED[kinds[kind]];
      const isBare = kinds[kind] === 'function' && text.split('\n')[line][at + length] !== '(';
      if (expected && !isBare && !lines[line](at).includes(expected)) {
        const token = text.split('\n')[line].slice(at, at + length);
        wrong.push(`${path.relative(root, file)}:${line + 1}: ${token} is no ${expected}: ${lines[line](at)}`);
      }
    }
  }
  server.process.kill();
  assert.deepStrictEqual(wrong, []);
});

test('no text of tests/lang/fail leaves the grammar in a string or a comment for good', async () => {
  const coe = await grammar();
  for (const file of specs(path.join(root, 'tests/lang/fail'))) {
    const text = fs.readFileSync(file, 'utf8');
    if (text.includes('/*') && !text.includes('*/')) continue;
    const lines = scopes(coe, `${text}\nmodel last { dim = 1 }`);
    const last = lines[lines.length - 1](0);
    assert.ok(!last.includes('string') && !last.includes('comment'), `${file}: ${last}`);
  }
});
