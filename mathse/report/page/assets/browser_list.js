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
      if (wanted.change === "changed" ? !isChanged(found) : found !== wanted.change) return false;
    } else if (VALUE[name](item) !== wanted[name]) return false;
  }
  return wanted.q.every((word) => haystack(item).includes(word));
}

function applyFilters() {
  const wanted = { q: byId("f-q").value.toLowerCase().split(/\s+/).filter(Boolean), against: byId("f-against").value };
  for (const name of FILTERS) wanted[name] = byId(`f-${name}`).value;
  shown = items.filter((item) => passes(item, wanted)).sort((a, b) => order.indexOf(b.round) - order.indexOf(a.round));
  const hits = new Set(shown.map((item) => item.problem_id)).size;
  byId("count").textContent = `${shown.length.toLocaleString("en")} trajectories of ${hits.toLocaleString("en")} problems${inFile(hits)}`;
  byId("list").replaceChildren();
  rendered = 0;
  renderMore();
}

// Where a link of the page has these filters, its number counts the whole run: this file may have fewer.
function inFile(hits) {
  const key = (hash) => { const state = new URLSearchParams(hash.slice(1)); state.sort(); return `${state}`; };
  const wanted = key(hashOf(null));
  const counted = [...document.querySelectorAll("main a[href*='=']")].find((one) => key(one.hash) === wanted);
  if (!counted) return "";
  const ofProblems = /(^|&)(change|ledger)=/.test(wanted);
  const here = (ofProblems ? hits : shown.length).toLocaleString("en");
  return here === counted.textContent ? "" : `. ${here} of ${counted.textContent} ${ofProblems ? "problems" : "trajectories"} are in this file: see “What was left out”`;
}

function renderMore(upTo = rendered + CHUNK) {
  const rows = shown.slice(rendered, upTo).map((item) => make("li", {}, make("a", {
    href: link(item), "data-id": item.trajectory_id, class: item === current ? "current" : null,
    "aria-current": item === current ? "true" : null }, ...summary(item)), fromParent(item)));
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
// What moved is the problem: a sample of a solved one may be wrong, so its tag has no colour.
const colour = (item, moved) => item.origin !== "evaluation" ? "" : moved === "newly solved" ? "good" : "bad";
// A test row of the ORM is annotated, not checked.
function tags(item, moved) {
  const what = item.origin === "evaluation" ? moved : `problem ${moved}`;
  const clashed = item.origin === "ORM test" ? item.clash?.replace("answer", "annotated as") : item.clash;
  return [isChanged(moved) ? tag(what, colour(item, moved)) : null,
    clashed && clashed !== "agree" ? tag(`ORM ${clashed}`, "bad") : null];
}
const mark = (item) => make("span", { class: item.right ? "mark good" : "mark bad", role: "img", "aria-label": item.right ? "right" : "not right" }, item.right ? "✓" : "✗");
// A reflection names the trajectory that it was written from.
function fromParent(item, before = "") {
  const parent = byKey.get(item.parent_id);
  return parent ? make("span", { class: "parent" }, `${before}from `, make("a", { href: link(parent) }, title(parent))) : null;
}
const link = (item) => `#t=${encodeURIComponent(item.trajectory_id)}`;

