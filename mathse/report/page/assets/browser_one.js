// ---- one trajectory ------------------------------------------------------------------------

function show(item) {
  if (current !== item) partner = null;
  current = item;
  for (const row of byId("list").querySelectorAll("a")) {
    const isCurrent = row.dataset.id === item.trajectory_id;
    row.classList.toggle("current", isCurrent);
    if (isCurrent) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    if (isCurrent) showRow(row.closest("li"));
  }
  const moved = change(item, byId("f-against").value);
  const parts = [
    make("h3", { tabindex: "-1" }, mark(item), ` ${title(item)}`),
    make("p", { class: "muted" }, "trajectory ", make("a", { href: link(item) }, item.trajectory_id), " of problem ",
      make("a", { href: `#q=${item.problem.problem_id}&t=${encodeURIComponent(item.trajectory_id)}` }, item.problem.problem_id),
      `, ${[item.problem.source, item.problem.split, item.problem.subject, item.problem.family, item.problem.level ? `level ${item.problem.level}` : ""].filter(Boolean).join(", ")}`, fromParent(item, ", ")),
    isChanged(moved) ? make("p", { class: `note ${colour(item, moved)}` }, movedText(item, moved)) : null,
    verdictText(item) ? make("p", { class: "note bad" }, verdictText(item)) : null,
    make("div", { class: "problem" },
      ...item.problem.images.map((picture, number) => make("img", { src: pictures[picture], alt: `Picture ${number + 1} of the problem`, title: "Click to enlarge", onclick: (event) => event.target.classList.toggle("large") })),
      make("div", {}, make("p", { class: "question" }, ...rich(item.problem.question)),
        item.problem.choices.length ? make("ol", { class: "choices" }, item.problem.choices.map((choice) => make("li", {}, ...rich(choice)))) : null)),
    facts(item),
    item.p_correct === null ? null : make("p", { class: "small muted" }, byId("browser").dataset.pCorrect),
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

// What the ORM calls wrong, with step and analysis, and where the answer check contradicts it.
function verdictText(item) {
  if (item.clash === "no verdict") return "The ORM's verdict cannot be read: it counts as no pass.";
  const p = item.p_correct === null ? "" : ` (P(correct) ${item.p_correct})`;
  const isRefused = item.orm_status === "wrong";
  const named = isRefused ? namedError(item) : "";
  if (item.origin === "ORM test" && item.clash !== "agree") return `Wrong verdict: it is annotated as ${item.right ? "correct" : "wrong"}, the ORM calls it ${item.orm_status}${p}.${named}`;
  if (item.clash === "passed, answer wrong") return `Wrong verdict: the answer is not right, the ORM calls the trajectory correct${p}.`;
  if (item.clash === "refused, answer right") return `The ORM against the answer: the answer is right, the ORM calls the trajectory wrong${p}.${named} ${isWorkedSolution(item) ? "The text is identical to the worked solution, so the verdict is wrong." : `Either the verdict is wrong, or ${item.error_step ? `step ${item.error_step}` : "a step"} is: look at it.`}`;
  return isRefused ? `The ORM calls it wrong${p}.${named}` : "";
}

const isWorkedSolution = (item) => item.steps.length > 0 && item.steps.join("\n") === item.problem.solution.join("\n");

function namedError(item) {
  const analysis = item.error_analysis ? `: ${item.error_analysis}` : "";
  const isThere = item.error_step > 0 && item.error_step <= item.steps.length;
  const where = !item.error_step ? "It names no step" : `It names step ${item.error_step}${isThere ? "" : ", which is not there"}`;
  return ` ${where}${analysis}${/[.!?。]$/.test(analysis) ? "" : "."}`;
}

function facts(item) {
  const rows = [
    ["gold", item.problem.answer],
    ["found", item.origin === "ORM test" ? null : item.predicted_answer ?? "nothing"],
    item.origin === "ORM test" ? ["annotation", item.right ? "correct" : "wrong"] : ["answer check", `${plain(item.answer_state)}${item.rule ? `, by the rule: ${plain(item.rule)}` : ""}`],
    ["ORM", item.origin === "evaluation" ? "not asked: gold alone counts here" : item.orm_status === null ? "not asked" : item.orm_status === "skipped" ? "not asked"
      : `${item.orm_status}${item.p_correct === null ? "" : `, P(correct) ${item.p_correct}`}${item.error_kind && item.error_kind !== "not named" ? `, ${item.error_kind}` : ""}`],
    ["ledger", ledgerMove(item)],
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
      make("td", {}, mark(other), " ", make("a", { href: link(other) }, title(other)), fromParent(other)),
      make("td", {}, other.origin === "ORM test" ? found(other) : other.predicted_answer ?? "–"),
      make("td", {}, other.orm_status === null || other.orm_status === "skipped" ? "–" : `${other.orm_status}${other.p_correct === null ? "" : ` ${other.p_correct.toFixed(2)}`}${other.orm_status === "wrong" && other.error_step ? `, step ${other.error_step}` : ""}`),
      make("td", {}, plain(outcome(other)) || "–"),
      make("td", {}, ...tags(other, change(other)))));
  return make("section", {}, make("h4", {}, `All on this problem (gold ${item.problem.answer})`),
    make("div", { class: "scroll" }, make("table", { class: "data" },
      make("thead", {}, make("tr", {}, ["who", "answer", "ORM", "outcome", ""].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, rows))));
}

