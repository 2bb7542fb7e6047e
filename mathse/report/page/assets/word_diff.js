// Compare two texts word by word.

const MAX_CELLS = 4_000_000;

// "2. 12+5=17" gives "2", ".", " ", "12", "+", "5", "=", "17".
const words = (text) => text.match(/\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];

// "a\nb" gives "a\n", "b".
const lines = (text) => text.match(/[^\n]*\n|[^\n]+/g) ?? [];

// Return [[kind, text], …], kind being "same", "left" or "right": a shortest way from left to right.
// Texts of many thousand words are compared line by line.
function wordDiff(left, right) {
  let [a, b] = [words(left), words(right)];
  if (a.length * b.length > MAX_CELLS) [a, b] = [lines(left), lines(right)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const parts = [];
  const add = (kind, text) => {
    if (!text) return;
    if (parts.at(-1)?.[0] === kind) parts.at(-1)[1] += text;
    else parts.push([kind, text]);
  };
  add("same", a.slice(0, start).join(""));
  for (const [kind, text] of middle(a.slice(start, a.length - end), b.slice(start, b.length - end))) add(kind, text);
  add("same", a.slice(a.length - end).join(""));
  return parts;
}

// The longest common subsequence, by a table of the lengths for what is left of both.
function* middle(a, b) {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] = a[i] === b[j]
        ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) yield ["same", a[i++], j++];
    else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) yield ["left", a[i++]];
    else yield ["right", b[j++]];
  }
  while (i < a.length) yield ["left", a[i++]];
  while (j < b.length) yield ["right", b[j++]];
}
