/** A horizontal bar chart as SVG text. */
export function plot(title: string, bars: readonly { label: string; value: number }[]): string {
  const width = 760;
  const labelWidth = 270;
  const most = Math.max(1, ...bars.map((bar) => bar.value));
  const lines = bars.map(({ label, value }, index) => {
    const y = 50 + index * 34;
    const length = Math.max(1, (value / most) * (width - labelWidth - 90));
    return `<text x="${labelWidth - 10}" y="${y + 15}" text-anchor="end">${escaped(label)}</text>`
      + `<rect x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="22" fill="#3b6ea5"/>`
      + `<text x="${(labelWidth + length + 8).toFixed(1)}" y="${y + 15}">${Math.round(value)}</text>`;
  });
  const height = 60 + bars.length * 34;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">`
    + `<rect width="100%" height="100%" fill="white"/><text x="20" y="28" font-size="16">${escaped(title)}</text>${lines.join('')}</svg>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
