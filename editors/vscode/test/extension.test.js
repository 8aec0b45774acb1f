// The extension with an editor of paper: what it starts, what it says where there is nothing to start, what it draws.
'use strict';

const assert = require('node:assert');
const Module = require('node:module');
const { setTimeout: pause } = require('node:timers/promises');
const { test } = require('node:test');

/** A stand-in for VS Code, with `program` as the setting; what it was asked to do is in `seen`. */
function editor(program) {
  const seen = { errors: [], commands: {}, posted: [], started: [], requests: [] };
  const nothing = () => ({ dispose() {} });
  const document = { languageId: 'coe', uri: { toString: () => 'file:///a.coe' } };
  const active = { document, selection: { active: { line: 3, character: 4 } } };
  const vscode = {
    ViewColumn: { Beside: -2 },
    window: {
      activeTextEditor: active,
      visibleTextEditors: [active],
      showErrorMessage: async (text) => void seen.errors.push(text),
      createWebviewPanel: () => ({
        webview: { postMessage: (message) => seen.posted.push(message) },
        onDidDispose: nothing,
        onDidChangeViewState: nothing,
        reveal() {},
      }),
      onDidChangeActiveTextEditor: nothing,
      onDidChangeTextEditorSelection: nothing,
    },
    workspace: {
      getConfiguration: () => ({ get: () => program }),
      onDidChangeTextDocument: nothing,
      onDidChangeConfiguration: nothing,
    },
    commands: {
      registerCommand: (name, run) => ((seen.commands[name] = run), nothing()),
      executeCommand: async () => {},
    },
  };
  class LanguageClient {
    constructor(id, name, server, options) {
      seen.started.push({ server, options });
    }
    async start() {}
    async stop() {}
    async sendRequest(method, params) {
      seen.requests.push({ method, params });
      return { model: 'a', svg: '<svg/>' };
    }
  }
  const stand = { vscode, 'vscode-languageclient/node': { LanguageClient } };
  const load = Module._load;
  Module._load = (name, ...rest) => stand[name] ?? load(name, ...rest);
  delete require.cache[require.resolve('../extension')];
  const extension = require('../extension');
  Module._load = load;
  return { extension, seen };
}

test('the server is the program of the setting', async () => {
  const { extension, seen } = editor(process.execPath);
  await extension.activate({ subscriptions: [] });
  assert.deepStrictEqual(seen.errors, []);
  assert.deepStrictEqual(seen.started, [
    { server: { command: process.execPath, args: ['lsp'] }, options: { documentSelector: [{ language: 'coe' }] } },
  ]);
  await extension.deactivate();
});

test('where there is no program it says how to get one', async () => {
  const { extension, seen } = editor('/nowhere/coec');
  await extension.activate({ subscriptions: [] });
  assert.strictEqual(seen.started.length, 0);
  assert.strictEqual(seen.errors.length, 1);
  assert.match(seen.errors[0], /`\/nowhere\/coec` was not found.*`cargo install --path crates\/coec --locked/s);
});

test('the model at the cursor is drawn', async () => {
  const { extension, seen } = editor(process.execPath);
  await extension.activate({ subscriptions: [] });
  seen.commands['coec.picture']();
  await pause(300);
  const textDocument = { uri: 'file:///a.coe' };
  const params = { textDocument, position: { line: 3, character: 4 } };
  assert.deepStrictEqual(seen.requests.at(-1), { method: 'coec/picture', params });
  assert.deepStrictEqual(seen.posted.at(-1), { model: 'a', svg: '<svg/>' });
  await extension.deactivate();
});
