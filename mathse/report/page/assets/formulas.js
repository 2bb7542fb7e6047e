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

