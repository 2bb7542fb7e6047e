// The trajectory browser. All text comes from models and data: it is only ever put in as text.

const byId = (id) => document.getElementById(id);
const FILTERS = ["round", "role", "answer", "orm", "outcome", "change", "split", "family"];
const CHUNK = 150; // rows of the list that are made at once
const FOLD_CHARS = 1500;
const MATH_ELEMENTS = new Set(
  "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd mstyle mpadded mphantom menclose".split(" "));
const MATH_ATTRIBUTES = new Set(
  "display mathvariant stretchy form fence separator accent columnalign rowspacing columnspacing width height depth lspace rspace linethickness displaystyle scriptlevel notation".split(" "));
// As in formulas.py: $x^2$, $$x^2$$, \(x^2\), \[x^2\]
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
  return was === is ? "same" : is ? "newly solved" : "newly broken";
}

const outcome = (item) => item.outcome ?? item.reason ?? (item.finish_reason === "error" ? "failed request" : null);
const plain = (name) => (name ?? "").replaceAll("_", " ");

const VALUE = {
  round: (item) => item.round,
  role: (item) => item.origin,
  answer: (item) => item.answer_state,
  orm: (item) => item.clash,
  outcome,
  split: (item) => item.problem.split,
  family: (item) => item.problem.family ?? item.problem.subject,
};

// ---- filters and the list ------------------------------------------------------------------

function fillFilters() {
  for (const name of FILTERS) {
    if (name === "change") continue;
    const counts = new Map();
    for (const item of items) {
      const value = VALUE[name](item);
      if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const names = [...counts.keys()].sort((a, b) => name === "round" ? order.indexOf(a) - order.indexOf(b) : a < b ? -1 : 1);
    byId(`f-${name}`).append(...names.map((value) =>
      make("option", { value }, `${plain(value)} (${counts.get(value).toLocaleString("en")})`)));
  }
  const models = new Set(items.filter((item) => item.origin === "evaluation").map((item) => item.round));
  byId("f-against").append(...order.filter((name) => models.has(name)).map((value) => make("option", { value }, value)));
}

function haystack(item) {
  item.text ??= [item.trajectory_id, item.problem.problem_id, item.problem.question, item.problem.answer, ...item.steps,
    item.error_analysis ?? "", item.predicted_answer ?? ""].join("\n").toLowerCase();
  return item.text;
}

function passes(item, wanted) {
  for (const name of FILTERS) {
    if (!wanted[name]) continue;
    if (name === "change") {
      const found = change(item, wanted.against);
      if (wanted.change === "changed" ? !found || found === "same" : found !== wanted.change) return false;
    } else if (VALUE[name](item) !== wanted[name]) return false;
  }
  return wanted.q.every((word) => haystack(item).includes(word));
}

function applyFilters() {
  const wanted = { q: byId("f-q").value.toLowerCase().split(/\s+/).filter(Boolean), against: byId("f-against").value };
  for (const name of FILTERS) wanted[name] = byId(`f-${name}`).value;
  shown = items.filter((item) => passes(item, wanted)).sort((a, b) => order.indexOf(b.round) - order.indexOf(a.round));
  const hits = new Set(shown.map((item) => item.problem_id)).size;
  byId("count").textContent = `${shown.length.toLocaleString("en")} trajectories of ${hits.toLocaleString("en")} problems`;
  byId("list").replaceChildren();
  rendered = 0;
  renderMore();
}

function renderMore(upTo = rendered + CHUNK) {
  const rows = shown.slice(rendered, upTo).map((item) => make("li", {}, make("a", {
    href: link(item), "data-id": item.trajectory_id, class: item === current ? "current" : null,
    "aria-current": item === current ? "true" : null }, ...summary(item))));
  byId("list").append(...rows);
  rendered = Math.min(Math.max(rendered, upTo), shown.length);
  byId("more").hidden = rendered >= shown.length;
}

function summary(item) {
  const moved = change(item, byId("f-against").value);
  return [
    make("span", { class: "line" }, mark(item), ` ${item.round} ${item.origin} `, make("span", { class: "muted" }, item.problem.family ?? item.problem.subject),
      ...tags(item, moved)),
    make("span", { class: "line muted" }, `${clip(found(item), 24)} · gold ${clip(item.problem.answer, 24)} · ${clip(item.problem.question, 60)}`),
  ];
}

// The ORM's test rows were annotated: no answer was looked for.
const found = (item) => item.origin === "ORM test" ? `annotated as ${item.right ? "correct" : "wrong"}` : item.predicted_answer ?? "no answer";
const clip = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text; // in the list alone
const tag = (text, kind = "") => make("span", { class: `tag ${kind}` }, text);
// What moved is the problem: a sample of a solved one may be wrong. A test row of the ORM is annotated, not checked.
function tags(item, moved) {
  const what = item.origin === "evaluation" ? moved : `problem ${moved}`;
  const clashed = item.origin === "ORM test" ? item.clash?.replace("answer", "annotated as") : item.clash;
  return [moved && moved !== "same" ? tag(what, moved === "newly solved" ? "good" : "bad") : null,
    clashed && clashed !== "agree" ? tag(`ORM ${clashed}`, "bad") : null];
}
const mark = (item) => make("span", { class: item.right ? "mark good" : "mark bad", role: "img", "aria-label": item.right ? "right" : "not right" }, item.right ? "✓" : "✗");
const link = (item) => `#t=${encodeURIComponent(item.trajectory_id)}`;

// ---- one trajectory ------------------------------------------------------------------------

function show(item) {
  if (current !== item) partner = null;
  current = item;
  for (const row of byId("list").querySelectorAll("a")) {
    const isCurrent = row.dataset.id === item.trajectory_id;
    row.classList.toggle("current", isCurrent);
    if (isCurrent) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    if (isCurrent) showRow(row);
  }
  const moved = change(item, byId("f-against").value);
  const parts = [
    make("h3", { tabindex: "-1" }, mark(item), ` ${title(item)}`),
    make("p", { class: "muted" }, "trajectory ", make("a", { href: link(item) }, item.trajectory_id), " of problem ",
      make("a", { href: `#q=${item.problem.problem_id}&t=${encodeURIComponent(item.trajectory_id)}` }, item.problem.problem_id),
      `, ${[item.problem.source, item.problem.split, item.problem.subject, item.problem.family, item.problem.level ? `level ${item.problem.level}` : ""].filter(Boolean).join(", ")}`),
    moved && moved !== "same" ? make("p", { class: `note ${moved === "newly solved" ? "good" : "bad"}` }, movedText(item, moved)) : null,
    item.clash && item.clash !== "agree" ? make("p", { class: "note bad" }, clashText(item)) : null,
    make("div", { class: "problem" },
      ...item.problem.images.map((picture, number) => make("img", { src: pictures[picture], alt: `Picture ${number + 1} of the problem`, title: "Click to enlarge", onclick: (event) => event.target.classList.toggle("large") })),
      make("div", {}, make("p", { class: "question" }, ...rich(item.problem.question)),
        item.problem.choices.length ? make("ol", { class: "choices" }, item.problem.choices.map((choice) => make("li", {}, ...rich(choice)))) : null)),
    facts(item),
    make("h4", {}, item.origin === "evaluation" ? "Answer of the model" : "Trajectory"),
    folded(steps(item), item.steps.join("").length),
    item.error ? make("p", { class: "note bad" }, `The request failed: ${item.error}`) : null,
    comparison(item),
    others(item),
  ];
  byId("detail").replaceChildren(...parts.filter(Boolean));
}

// Scroll the list, and never the page, so that a row shows.
function showRow(row) {
  const list = row.closest(".list");
  const [top, end] = [row.offsetTop, row.offsetTop + row.offsetHeight];
  if (top < list.scrollTop) list.scrollTop = top;
  else if (end > list.scrollTop + list.clientHeight) list.scrollTop = end - list.clientHeight;
}

function title(item) {
  const number = item.sample_idx === null ? "" : `, sample ${item.sample_idx}`;
  return `${item.round} · ${item.origin}${number}`;
}

function movedText(item, moved) {
  const previous = before(item, byId("f-against").value);
  const verb = (item.origin === "evaluation" ? moved : `problem ${moved}`).replace(/^./, (letter) => letter.toUpperCase());
  if (item.origin === "evaluation") {
    const step = item.steps.findIndex((text, number) => text !== previous[0].steps[number]);
    const differs = step < 0 ? "" : ` The texts first differ in step ${step + 1}.`;
    return `${verb}: ${previous[0].round} was ${previous[0].right ? "right" : `wrong (${previous[0].predicted_answer ?? "no answer"})`} on this problem.${differs}`;
  }
  const count = previous.filter((other) => other.right).length;
  return `${verb}: in ${previous[0].round}, ${count} of ${previous.length} answers of the student were right.`;
}

function clashText(item) {
  if (item.clash === "no verdict") return "The ORM's verdict cannot be read: it counts as no pass.";
  const p = item.p_correct === null ? "" : ` (P(correct) ${item.p_correct})`;
  if (item.origin === "ORM test") return `Wrong verdict: it is annotated as ${item.right ? "correct" : "wrong"}, the ORM calls it ${item.orm_status}${p}.`;
  return item.clash === "refused, answer right"
    ? `The ORM against the answer: the answer is right, the ORM calls the trajectory wrong${p}. Either the verdict is wrong, or ${item.error_step ? `step ${item.error_step}` : "a step"} is: look at it.`
    : `Wrong verdict: the answer is not right, the ORM calls the trajectory correct${p}.`;
}

function facts(item) {
  const rows = [
    ["gold", item.problem.answer],
    ["found", item.origin === "ORM test" ? null : item.predicted_answer ?? "nothing"],
    item.origin === "ORM test" ? ["annotation", item.right ? "correct" : "wrong"] : ["answer check", `${plain(item.answer_state)}${item.rule ? `, by the rule: ${plain(item.rule)}` : ""}`],
    ["ORM", item.origin === "evaluation" ? "not asked: gold alone counts here" : item.orm_status === null ? "not asked" : item.orm_status === "skipped" ? "not asked"
      : `${item.orm_status}${item.p_correct === null ? "" : `, P(correct) ${item.p_correct}`}${item.error_kind ? `, ${item.error_kind}` : ""}`],
    ["outcome", plain(outcome(item)) || (item.origin === "evaluation" || item.origin === "ORM test" ? "measured only" : "")],
    ["ended", `${{ stop: "by itself", length: "cut off", error: "failed" }[item.finish_reason] ?? ""}${item.response_tokens ? `, ${item.response_tokens} tokens` : ""}`],
  ];
  return make("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function steps(item) {
  if (!item.steps.length) return make("p", { class: "muted" }, "Nothing was written.");
  return make("ol", { class: "steps" }, item.steps.map((text, number) => {
    const isNamed = number + 1 === item.error_step;
    return make("li", { class: isNamed ? "named" : null }, make("span", { class: "text" }, ...rich(text)),
      isNamed ? make("span", { class: "analysis" }, `ORM, step ${number + 1}: ${item.error_analysis ?? "wrong"}`) : null);
  }));
}

function folded(element, length) {
  if (length <= FOLD_CHARS) return element;
  element.classList.add("fold");
  const button = make("button", { type: "button", class: "unfold", onclick: () => { element.classList.remove("fold"); button.remove(); } },
    `Show all ${length.toLocaleString("en")} characters`);
  return make("div", {}, element, button);
}

function partners(item) {
  const family = ofProblem.get(item.problem_id);
  const parent = byKey.get(item.parent_id);
  const children = family.filter((other) => other.parent_id === item.trajectory_id);
  const previous = before(item, byId("f-against").value);
  const solution = item.problem.solution.length ? [{ trajectory_id: "solution", steps: item.problem.solution, name: "worked solution" }] : [];
  const best = [parent, ...previous.filter((other) => other.right !== item.right), ...children, ...(item.right ? [] : solution), ...previous, ...solution];
  return [...new Set([...best, ...family.filter((other) => other !== item)])].filter(Boolean);
}

const nameOf = (other) => other.name ?? `${title(other)} (${other.right ? "right" : "wrong"})`;

function comparison(item) {
  const choices = partners(item);
  if (!choices.length) return null;
  const other = choices.find((one) => one.trajectory_id === partner) ?? choices[0];
  const select = make("select", { id: "partner", onchange: (event) => { partner = event.target.value; show(item); byId("partner").focus(); } },
    choices.map((one) => make("option", { value: one.trajectory_id, selected: one === other ? "" : null }, nameOf(one))));
  const parts = wordDiff(other.steps.join("\n\n"), item.steps.join("\n\n"));
  const side = (one, kind) => make("div", { class: "side" }, make("h5", {}, one.name ?? mark(one), one.name ? "" : ` ${title(one)}`),
    folded(diffSteps(one, parts.filter(([which]) => which === "same" || which === kind), kind), one.steps.join("").length));
  return make("section", {}, make("h4", {}, make("label", { for: "partner" }, "Beside it: "), select),
    make("div", { class: "sides" }, side(other, "left"), side(item, "right")));
}

// The steps of one side, with the words that the other one lacks marked.
function diffSteps(item, parts, kind) {
  const list = make("ol", { class: "steps" });
  let row = null;
  const begin = () => { row = make("span", { class: "text" }); list.append(make("li", {}, row)); };
  begin();
  for (const [which, text] of parts) {
    text.split("\n\n").forEach((piece, number) => {
      if (number) begin();
      if (piece) row.append(which === kind ? make("mark", {}, piece) : piece);
    });
  }
  const named = list.children[item.error_step - 1];
  if (named) {
    named.classList.add("named");
    named.append(make("span", { class: "analysis" }, `ORM, step ${item.error_step}: ${item.error_analysis ?? "wrong"}`));
  }
  return list;
}

function others(item) {
  const rows = ofProblem.get(item.problem_id).map((other) =>
    make("tr", { class: other === item ? "current" : null },
      make("td", {}, mark(other), " ", make("a", { href: link(other) }, title(other))),
      make("td", {}, other.origin === "ORM test" ? found(other) : other.predicted_answer ?? "–"),
      make("td", {}, other.orm_status === null || other.orm_status === "skipped" ? "–" : `${other.orm_status}${other.p_correct === null ? "" : ` ${other.p_correct.toFixed(2)}`}`),
      make("td", {}, plain(outcome(other)) || "–"),
      make("td", {}, ...tags(other, change(other)))));
  return make("section", {}, make("h4", {}, `All on this problem (gold ${item.problem.answer})`),
    make("div", { class: "scroll" }, make("table", { class: "data" },
      make("thead", {}, make("tr", {}, ["who", "answer", "ORM", "outcome", ""].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, rows))));
}

// ---- formulas ------------------------------------------------------------------------------

function rich(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(FORMULA)) {
    const formula = data.formulas[match[0]] && mathElement(data.formulas[match[0]]);
    if (!formula) continue;
    parts.push(text.slice(end, match.index), formula);
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)].filter(Boolean);
}

// MathML as elements: known elements and attributes alone.
function mathElement(source) {
  const copy = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE || !MATH_ELEMENTS.has(node.localName)) return null;
    const element = document.createElementNS("http://www.w3.org/1998/Math/MathML", node.localName);
    for (const { name, value } of node.attributes) if (MATH_ATTRIBUTES.has(name)) element.setAttribute(name, value);
    element.append(...[...node.childNodes].map(copy).filter(Boolean));
    return element;
  };
  return copy(new DOMParser().parseFromString(source, "application/xml").documentElement);
}

// ---- keys and links ------------------------------------------------------------------------

function move(by) {
  const index = Math.min(Math.max(shown.indexOf(current) + by, 0), shown.length - 1);
  if (index < 0 || !shown[index]) return;
  if (index >= rendered) renderMore(index + CHUNK);
  open(shown[index]);
}

function open(item) {
  show(item);
  history.replaceState(null, "", hashOf(item));
}

function hashOf(item) {
  const state = new URLSearchParams();
  for (const name of [...FILTERS, "against", "q"]) if (byId(`f-${name}`).value) state.set(name, byId(`f-${name}`).value);
  if (item) state.set("t", item.trajectory_id);
  return `#${state}`;
}

// "#t=ID" opens a trajectory, "#round=r2&change=newly+broken" sets filters; "#orm" is a section.
function follow() {
  if (!location.hash.includes("=")) return;
  const state = new URLSearchParams(location.hash.slice(1));
  const wanted = byKey.get(state.get("t"));
  const names = [...FILTERS, "against", "q"];
  if (names.some((name) => state.has(name)) || (wanted && !shown.includes(wanted))) {
    for (const name of names) setFilter(name, state.get(name) ?? "");
    applyFilters();
  }
  const missing = state.get("t") && !wanted;
  if (missing) byId("detail").replaceChildren(make("p", { class: "note" }, `${state.get("t")} is not among the trajectories of this page.`));
  else if (wanted ?? shown[0]) {
    const item = wanted ?? shown[0];
    if (shown.indexOf(item) >= rendered) renderMore(shown.indexOf(item) + CHUNK);
    show(item);
  } else byId("detail").replaceChildren(make("p", { class: "note" }, "No trajectory of this page passes these filters."));
  byId("trajectories").scrollIntoView();
}

// A value that no trajectory of this page has is kept: then nothing is listed.
function setFilter(name, value) {
  const field = byId(`f-${name}`);
  field.value = value;
  if (field.value !== value) field.append(make("option", { value, selected: "" }, `${plain(value)} (0)`));
}

function listen() {
  for (const name of [...FILTERS, "against"]) byId(`f-${name}`).addEventListener("change", refresh);
  let timer = 0;
  byId("f-q").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(refresh, 150); });
  byId("clear").addEventListener("click", () => {
    for (const name of [...FILTERS, "against", "q"]) byId(`f-${name}`).value = "";
    refresh();
  });
  byId("more").addEventListener("click", () => renderMore());
  window.addEventListener("hashchange", follow);
  const narrow = matchMedia("(max-width: 40rem)");
  const fold = () => { byId("fold").open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") document.activeElement?.blur();
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "")) return;
    const act = { j: () => move(1), k: () => move(-1), "/": () => { byId("fold").open = true; byId("trajectories").scrollIntoView(); byId("f-q").focus(); } }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}

function refresh() {
  applyFilters();
  if (shown.length && !shown.includes(current)) show(shown[0]);
  history.replaceState(null, "", hashOf(shown.includes(current) ? current : null));
}

async function start() {
  await load();
  fillFilters();
  applyFilters();
  listen();
  byId("browser").hidden = false;
  byId("loading").hidden = true;
  if (location.hash.includes("=")) follow();
  else if (shown.length) show(shown[0]);
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => { byId("loading").textContent = `The trajectories cannot be shown: ${error.message}`; });
