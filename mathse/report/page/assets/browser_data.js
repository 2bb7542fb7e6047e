// The trajectory browser. All text comes from models and data: it is only ever put in as text.

const byId = (id) => document.getElementById(id);
const FILTERS = ["round", "role", "answer", "orm", "outcome", "kind", "change", "ledger", "split", "family"];
const CHUNK = 150; // rows of the list that are made at once
const FOLD_CHARS = 1500;
const MATH_ELEMENTS = new Set(
  "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd mstyle mpadded mphantom menclose".split(" "));
const MATH_ATTRIBUTES = new Set(
  "display mathvariant stretchy form fence separator accent columnalign rowspacing columnspacing width height depth lspace rspace linethickness displaystyle scriptlevel notation".split(" "));
// As in mathml.py: $x^2$, $$x^2$$, \(x^2\), \[x^2\]
const FORMULA = /\$\$[^$]+\$\$|\$(?![\s\d.,]+\s)[^$\n]*[^$\s]\$(?!\d)|\\\(.+?\\\)|\\\[.+?\\\]/gs;

let data, items, problems, pictures, byKey, ofProblem, order;
let shown = []; // the items that pass the filters
let rendered = 0;
let current = null;
let partner = null; // what the current one is compared with; null: the usual one

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick" || name === "onchange") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

async function load() {
  const bytes = Uint8Array.from(atob(byId("data").textContent.trim()), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  data = JSON.parse(await new Response(stream).text());
  pictures = JSON.parse(byId("pictures").textContent);
  const rows = (columns) => {
    const names = Object.keys(columns);
    return columns[names[0]].map((_, row) => Object.fromEntries(names.map((name) => [name, columns[name][row]])));
  };
  problems = rows(data.problems);
  items = rows(data.items);
  order = [...new Set([...data.rounds, ...items.map((item) => item.round)])];
  const roles = ["evaluation", "student", "reflection", "teacher", "ORM test"];
  for (const item of items) {
    item.problem = problems[item.problem_id];
    item.right = item.answer_state === "match";
    item.clash = clash(item);
  }
  items.sort((a, b) => order.indexOf(a.round) - order.indexOf(b.round) || roles.indexOf(a.origin) - roles.indexOf(b.origin)
    || a.problem_id - b.problem_id || (a.sample_idx ?? 0) - (b.sample_idx ?? 0));
  byKey = new Map(items.map((item) => [item.trajectory_id, item]));
  ofProblem = Map.groupBy ? Map.groupBy(items, (item) => item.problem_id) : groupBy(items, (item) => item.problem_id);
}

function groupBy(list, key) {
  const groups = new Map();
  for (const item of list) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

// What is wrong with the ORM's verdict, where the answer check tells.
function clash(item) {
  if (item.orm_status === "unparseable") return "no verdict";
  if (item.orm_status === "correct" && ["mismatch", "no_answer"].includes(item.answer_state)) return "passed, answer wrong";
  if (item.orm_status === "wrong" && item.right) return "refused, answer right";
  return item.orm_status === "correct" || item.orm_status === "wrong" ? "agree" : null;
}

// The answers that one is compared with: those of the model before (or of the named one), or of the
// student in the last round before in which it tried the problem.
function before(item, against = "") {
  const others = ofProblem.get(item.problem_id);
  if (item.origin === "evaluation") {
    const name = against || data.previous[item.round];
    return others.filter((other) => other.origin === "evaluation" && other.round === name);
  }
  if (item.origin !== "student" || against) return [];
  const earlier = others.filter((other) => other.origin === "student" && order.indexOf(other.round) < order.indexOf(item.round));
  return earlier.filter((other) => other.round === earlier.at(-1).round);
}

function change(item, against = "") {
  const previous = before(item, against);
  if (!previous.length) return null;
  const was = previous.some((other) => other.right);
  const is = item.origin === "evaluation" ? item.right
    : ofProblem.get(item.problem_id).some((other) => other.origin === "student" && other.round === item.round && other.right);
  return was === is ? (is ? "right in both" : "wrong in both") : is ? "newly solved" : "newly broken";
}

const isChanged = (moved) => moved === "newly solved" || moved === "newly broken";

// What the round did to the problem's state in the ledger: "remaining → hard"; in r0: "distilled".
function ledgerMove(item) {
  const round = data.ledger.indexOf(item.round);
  const state = item.problem.states[round];
  if (!state || item.origin === "evaluation" || item.origin === "ORM test") return null;
  return round ? `${item.problem.states[round - 1]} → ${state}` : state;
}

const outcome = (item) => item.outcome ?? item.reason ?? (item.finish_reason === "error" ? "failed request" : null);
const plain = (name) => (name ?? "").replaceAll("_", " ");

const VALUE = {
  round: (item) => item.round,
  role: (item) => item.origin,
  answer: (item) => item.answer_state,
  orm: (item) => item.clash,
  outcome,
  kind: (item) => item.error_kind,
  ledger: ledgerMove,
  split: (item) => item.problem.split,
  family: (item) => item.problem.family ?? item.problem.subject,
};

