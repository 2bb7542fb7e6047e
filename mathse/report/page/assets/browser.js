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
