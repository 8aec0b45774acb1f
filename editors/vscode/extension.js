// The extension: it starts `coec lsp`, and shows the drawing that the server makes beside the text.
'use strict';

const { spawnSync } = require('node:child_process');
const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');
const { page } = require('./page');

/** How long the drawing waits for the next keystroke, in milliseconds. */
const PAUSE = 80;

let client;
let panel;
let waiting;
/** What starts and stops the server, one after the other. */
let turns = Promise.resolve();

/** Whether a program is there and answers. */
function answers(program) {
  const { error, status } = spawnSync(program, ['--version'], { timeout: 5000 });
  return !error && status === 0;
}

/** Says how to get the program, in a window and in the place where settings are. */
async function missing(program) {
  const chosen = await vscode.window.showErrorMessage(
    `\`${program}\` was not found, so that there are no figures. In a checkout of coec, ` +
      '`cargo install --path crates/coec --locked --no-default-features` installs the compiler in a minute or two; ' +
      'where it is not on the path, the setting coec.path says where it is.',
    'Open the setting',
    'Try again',
  );
  if (chosen === 'Open the setting') {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'coec.path');
  } else if (chosen === 'Try again') {
    await start();
  }
}

function start() {
  turns = turns.then(begin).catch((error) => vscode.window.showErrorMessage(`coec: ${error.message}`));
  return turns;
}

function stop() {
  turns = turns.then(end);
  return turns;
}

async function begin() {
  await end();
  const program = vscode.workspace.getConfiguration('coec').get('path') || 'coec';
  if (!answers(program)) {
    // Nobody waits for the answer to a question.
    missing(program);
    return;
  }
  const server = { command: program, args: ['lsp'] };
  const selector = [{ language: 'coe' }];
  client = new LanguageClient('coec', 'coec', server, { documentSelector: selector });
  await client.start();
  draw();
}

async function end() {
  const old = client;
  client = undefined;
  // A server that did not come up has nothing to stop.
  await old?.stop().catch(() => {});
}

/** The spec that is drawn: the one that is typed in, or was. */
function editor() {
  const isSpec = (editor) => editor?.document.languageId === 'coe';
  const { activeTextEditor, visibleTextEditors } = vscode.window;
  return isSpec(activeTextEditor) ? activeTextEditor : visibleTextEditors.find(isSpec);
}

/** Draws the model at the cursor, if somebody looks. While the text is wrong the last drawing stays. */
function draw() {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const drawn = editor();
    if (!panel || !client || !drawn) {
      return;
    }
    const textDocument = { uri: drawn.document.uri.toString() };
    const { line, character } = drawn.selection.active;
    try {
      const picture = await client.sendRequest('coec/picture', { textDocument, position: { line, character } });
      if (picture && panel) {
        panel.title = picture.model;
        panel.webview.postMessage(picture);
      }
    } catch {
      // A file that was closed in between has no drawing.
    }
  }, PAUSE);
}

function showPicture(context) {
  if (panel) {
    panel.reveal(vscode.ViewColumn.Beside, true);
    return draw();
  }
  const where = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
  const options = { enableScripts: true, retainContextWhenHidden: true };
  panel = vscode.window.createWebviewPanel('coec.picture', 'coec', where, options);
  panel.webview.html = page();
  panel.onDidChangeViewState(draw, null, context.subscriptions);
  panel.onDidDispose(() => (panel = undefined), null, context.subscriptions);
  draw();
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand('coec.picture', () => showPicture(context)),
    vscode.commands.registerCommand('coec.restart', start),
    vscode.workspace.onDidChangeTextDocument(draw),
    vscode.window.onDidChangeActiveTextEditor(draw),
    vscode.window.onDidChangeTextEditorSelection(draw),
    vscode.workspace.onDidChangeConfiguration((change) => change.affectsConfiguration('coec.path') && start()),
  );
  await start();
};

exports.deactivate = stop;
