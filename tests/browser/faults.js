// What is wrong with the layout and the colours of a page: lists of sentences, by the kind of fault.
(() => {
  const TOLERANCE = 1; // pixels: boxes are rounded
  const root = document.documentElement;
  const style = getComputedStyle;
  const faults = { overflowing: [], sticking_out: [], faint: [], overlapping: [] };

  const called = element => {
    const named = element.classList.length ? "." + element.classList[0] : "";
    const text = element.textContent.trim().replace(/\s+/g, " ");
    return `${element.localName}${named} "${text.length > 40 ? text.slice(0, 39) + "…" : text}"`;
  };
  const scrolls = element => /auto|scroll/.test(style(element).overflowX);
  const cuts = element => style(element).overflowX !== "visible" && element !== document.body;
  const isForReadersOnly = box => box.width <= TOLERANCE || box.height <= TOLERANCE;
  const ancestors = element => {
    const found = [];
    for (let above = element.parentElement; above; above = above.parentElement) found.push(above);
    return found;
  };

  // wider than its box

  const elements = [...document.body.querySelectorAll("*")].filter(
    element => element.checkVisibility({ visibilityProperty: true }) && !isForReadersOnly(element.getBoundingClientRect())
  );
  const wide = elements.filter(
    element => element.clientWidth && element.scrollWidth > element.clientWidth + TOLERANCE && !scrolls(element)
  );
  for (const element of wide)
    if (!wide.some(inner => inner !== element && element.contains(inner)))
      faults.overflowing.push(`${called(element)}: ${element.scrollWidth} in ${element.clientWidth} pixels`);

  // out of its cell, or out of the window: where no box around it scrolls or cuts

  const reach = element => {
    const cell = element.closest("[data-cell]");
    if (element === cell || element.ownerSVGElement) return null;
    const around = ancestors(element);
    if (around.slice(0, cell ? around.indexOf(cell) : -1).some(cuts)) return null;
    const box = element.getBoundingClientRect();
    const { left, right } = cell ? cell.getBoundingClientRect() : { left: 0, right: root.clientWidth };
    const isOut = box.left < left - TOLERANCE || box.right > right + TOLERANCE;
    return isOut ? [box.left, box.right, left, right].map(pixels => pixels.toFixed()) : null;
  };
  const out = new Map(elements.map(element => [element, reach(element)]).filter(([, ends]) => ends));
  for (const [element, [from, to, left, right]] of out)
    if (!out.has(element.parentElement))
      faults.sticking_out.push(`${called(element)}: ${from} to ${to}, outside of ${left} to ${right}`);
  if (root.scrollWidth > root.clientWidth + TOLERANCE)
    faults.sticking_out.push(`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);

  // pieces of text, each with the part of its lines that is seen

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const frames = [element, ...ancestors(element)].filter(cuts);
    const lines = [...range.getClientRects()].map(line => seen(line, frames, node)).filter(Boolean);
    if (lines.length) texts.push({ node, element, lines });
  }

  function seen(line, frames, node) {
    let { left, right, top, bottom } = line;
    for (const frame of frames) {
      const box = frame.getBoundingClientRect();
      if (isForReadersOnly(box)) return null;
      if (!scrolls(frame) && (left < box.left - TOLERANCE || right > box.right + TOLERANCE))
        faults.overflowing.push(`"${node.data.trim()}" is cut off by ${called(frame)}`);
      [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
      [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
    }
    return right - left > TOLERANCE && bottom - top > TOLERANCE ? { left, right, top, bottom } : null;
  }

  // text on text: the letters are lower than their line

  const letters = texts.flatMap(({ node, lines }) =>
    lines.map(({ left, right, top, bottom }) => {
      const inset = (bottom - top) / 5;
      return { node, left, right, top: top + inset, bottom: bottom - inset };
    })
  );
  letters.sort((a, b) => a.top - b.top);
  letters.forEach((a, k) => {
    for (const b of letters.slice(k + 1)) {
      if (b.top >= a.bottom) break;
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (a.node !== b.node && across > 1.5)
        faults.overlapping.push(`"${a.node.data.trim()}" and "${b.node.data.trim()}" by ${across.toFixed(1)} pixels`);
    }
  });

  // contrast, as WCAG 2 defines it, against the worst of what lies below the text

  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  function rgba(text) {
    if (!known.has(text)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = "rgba(0, 0, 0, 0)";
      brush.fillStyle = text;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  }
  const over = ([r, g, b, alpha], below) => [r, g, b].map((part, k) => part * alpha + below[k] * (1 - alpha));
  const faded = ([r, g, b, alpha], element) => [r, g, b, alpha * opacity(element)];
  const opacity = element => [element, ...ancestors(element)].reduce((all, e) => all * style(e).opacity, 1);
  function luminance(colour) {
    const [r, g, b] = colour.map(part => ((part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }

  // the colours that an element paints, each of which may lie below a text
  function paints(element) {
    if (element instanceof SVGGeometryElement) {
      const { fill, fillOpacity } = style(element);
      const [r, g, b, alpha] = rgba(fill === "none" ? "transparent" : fill);
      return { plain: [r, g, b, alpha * fillOpacity], stops: [] };
    }
    const { backgroundColor, backgroundImage } = style(element);
    return { plain: rgba(backgroundColor), stops: (backgroundImage.match(/[a-z]+\([^()]*\)|transparent/g) ?? []).map(rgba) };
  }

  function below(element, { left, right, top, bottom }) {
    const stack = document.elementsFromPoint((left + right) / 2, (top + bottom) / 2);
    const place = stack.indexOf(element);
    const layers = place < 0 ? [element] : stack.slice(place);
    return [...layers, ...ancestors(element).filter(above => !layers.includes(above))].reverse();
  }

  const sheet = document.createElement("style");
  sheet.textContent = "* { pointer-events: auto !important; transition: none !important; animation: none !important }";
  const probe = document.createElement("div");
  probe.style.background = "Canvas";
  root.append(sheet, probe);
  const paper = rgba(style(probe).backgroundColor).slice(0, 3);
  probe.remove();

  for (const { node, element, lines } of texts) {
    const { color, fill, fontSize, fontWeight } = style(element);
    const ink = faded(rgba(element instanceof SVGElement ? fill : color), element);
    let grounds = [paper];
    for (const layer of below(element, lines[0])) {
      const { plain, stops } = paints(layer);
      grounds = grounds.map(ground => over(faded(plain, layer), ground));
      grounds.push(...grounds.flatMap(ground => stops.map(stop => over(faded(stop, layer), ground))));
    }
    const worst = Math.min(...grounds.map(ground => contrast(over(ink, ground), ground)));
    const size = parseFloat(fontSize);
    const wanted = size >= 24 || (size >= 18.66 && fontWeight >= 700) ? 3 : 4.5;
    if (worst < wanted) faults.faint.push(`"${node.data.trim()}" in ${called(element)}: contrast ${worst.toFixed(2)}, not ${wanted}`);
  }
  sheet.remove();
  return faults;
})()
