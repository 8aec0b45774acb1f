// The page that shows a drawing: an SVG that comes as a message takes the place of the one before.
'use strict';

const { randomBytes } = require('node:crypto');

/** The page, before there is a drawing. Its script is the only one that may run. */
exports.page = () => {
  const nonce = randomBytes(16).toString('hex');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-${nonce}'">
<style>
  body { margin: 0; padding: 1rem; }
  svg { max-width: 100%; height: auto; }
</style>
</head>
<body>
<div id="picture">There is nothing to draw yet: a model without errors is drawn.</div>
<script nonce="${nonce}">
  addEventListener('message', ({ data }) => {
    const svg = new DOMParser().parseFromString(data.svg, 'image/svg+xml').documentElement;
    document.getElementById('picture').replaceChildren(svg);
  });
</script>
</body>
</html>
`;
};
