// Draws the playground's samples into web/samples: an invoice and a chart, and two photographs from test/fixtures/images. Run it
// by hand; the results are committed, since they depend on the fonts of the machine.
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const samples = join(root, 'web/samples');
const fixtures = join(root, 'test/fixtures/images');

const text = (x, y, size, content, more = '') =>
  `<text x="${x}" y="${y}" font-size="${size}" ${more}>${content}</text>`;
const line = (x1, y1, x2, y2, width = 1, colour = '#333') =>
  `<path d="M${x1} ${y1}L${x2} ${y2}" stroke="${colour}" stroke-width="${width}"/>`;
const page = (width, height, content) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans" fill="#1a1a1a">` +
  `<rect width="${width}" height="${height}" fill="#fff"/>${content}</svg>`;
const toRight = 'text-anchor="end"';

const goods = [
  ['A-1043', 'Hex bolt M8 x 40, galvanised', 200, 0.18],
  ['A-1051', 'Hex nut M8, DIN 934', 400, 0.06],
  ['B-2207', 'Bearing 6204-2RS, sealed', 12, 4.35],
  ['B-2231', 'Bearing 6305-ZZ', 8, 6.9],
  ['C-0310', 'Timing belt, 5 mm pitch, 1,200 mm', 6, 11.25],
  ['C-0318', 'Pulley, 20 teeth, bore 8 mm', 14, 3.8],
  ['D-7730', 'Linear rail MGN12, 400 mm', 4, 18.6],
  ['D-7731', 'Carriage MGN12H', 8, 9.4],
  ['E-0092', 'Cable chain 15 x 20, per metre', 5, 7.2],
  ['E-0150', 'Ferrite core, clip on, 9 mm', 30, 0.95],
  ['F-4410', 'Stepper motor, 1.8 degrees, 2.1 A', 4, 21.5],
  ['F-4416', 'Motor driver, 48 V, silent', 4, 16.75],
  ['G-5002', 'Power supply 24 V, 350 W', 2, 38.4],
  ['G-5011', 'Fuse 5 x 20, 6.3 A slow', 50, 0.22],
  ['H-6120', 'Thermistor NTC 100k, with lead', 10, 1.85],
  ['H-6133', 'Heat sink 40 x 40 x 11', 6, 2.6],
  ['J-8801', 'Grease for bearings, tube 100 g', 3, 6.15],
  ['J-8815', 'Cleaning cloth, lint free, 50 pcs', 2, 8.3],
];
const money = (amount) => amount.toFixed(2);
const total = goods.reduce((sum, [, , count, price]) => sum + count * price, 0);
const rows = goods.map(([code, name, count, price], index) => {
  const y = 412 + index * 30;
  return [
    text(70, y, 13, String(index + 1)),
    text(110, y, 13, code),
    text(210, y, 13, name),
    text(640, y, 13, String(count), toRight),
    text(770, y, 13, money(price), toRight),
    text(930, y, 13, money(count * price), toRight),
    line(70, y + 10, 930, y + 10, 0.6, '#bbb'),
  ].join('');
});
const smallPrint = [
  'Payment within 30 days of the invoice date, net. After that date we charge interest of 8 points above the base rate.',
  'Goods remain our property until they are paid in full. Complaints about visible defects are accepted for 14 days.',
  'Batch numbers: A-1043 lot 77120, B-2207 lot 30418, D-7730 lot 99007, F-4410 lot 51266, G-5002 lot 12093.',
  'Reverse charge does not apply. Place of performance is the address of delivery. This document is valid without signature.',
];
const invoice = page(
  1000,
  1414,
  [
    text(70, 96, 30, 'Northgate Machine Parts', 'font-weight="bold"'),
    text(70, 122, 13, '14 Foundry Lane, Unit 3 - Harrowfield HF2 6QT - Tel. 0555 014 2290'),
    line(70, 138, 930, 138, 2),
    text(70, 184, 22, 'Invoice 2024-08817', 'font-weight="bold"'),
    text(70, 226, 14, 'Bill to'),
    ...['Wexley Robotics Ltd', 'Accounts Payable', '220 Canal Street', 'Millbrook MB1 9LE'].map(
      (row, index) => text(70, 250 + index * 20, 14, row, index === 0 ? 'font-weight="bold"' : ''),
    ),
    ...[
      ['Invoice date', '17 October 2024'],
      ['Due date', '16 November 2024'],
      ['Customer no.', '40-11926'],
      ['Your order', 'PO 5567-B'],
    ].map(
      ([name, value], index) =>
        text(620, 226 + index * 22, 14, name) + text(930, 226 + index * 22, 14, value, toRight),
    ),
    ...[
      [70, 'No.'],
      [110, 'Code'],
      [210, 'Description'],
    ].map(([x, name]) => text(x, 376, 13, name, 'font-weight="bold"')),
    ...[
      [640, 'Quantity'],
      [770, 'Price'],
      [930, 'Amount'],
    ].map(([x, name]) => text(x, 376, 13, name, `font-weight="bold" ${toRight}`)),
    line(70, 386, 930, 386, 1.5),
    ...rows,
    ...[
      ['Subtotal', total],
      ['VAT 20 %', total * 0.2],
      ['Total due', total * 1.2],
    ].map(([name, amount], index) => {
      const weight = index === 2 ? 'font-weight="bold"' : '';
      return (
        text(700, 990 + index * 28, 15, name, weight) +
        text(930, 990 + index * 28, 15, money(amount), `${weight} ${toRight}`)
      );
    }),
    line(700, 1056, 930, 1056, 1.5),
    ...smallPrint.map((row, index) => text(70, 1160 + index * 17, 10, row, 'fill="#333"')),
    text(
      70,
      1340,
      9,
      'Northgate Machine Parts is registered in Harrowfield, no. 0311786. VAT id. HF 224 0917 55. IBAN HF08 NGMP 0001 2240 9175 51',
    ),
  ].join(''),
);

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Name, colour, and a value each month. */
const series = [
  { name: 'North', colour: '#2a6fbb', values: [31, 35, 42, 40, 51, 58, 55, 60, 52, 47, 39, 36] },
  { name: 'South', colour: '#d9822b', values: [22, 24, 29, 37, 44, 49, 62, 66, 57, 41, 30, 25] },
  { name: 'West', colour: '#3c9a5f', values: [15, 19, 18, 26, 24, 33, 38, 35, 36, 28, 22, 17] },
];
const heightOf = (value) => value * 5.6;
const chart = page(
  960,
  640,
  [
    text(60, 54, 24, 'Deliveries by region', 'font-weight="bold"'),
    text(60, 80, 14, 'Thousand parcels a month, 2023'),
    ...[0, 10, 20, 30, 40, 50, 60, 70].map(
      (value) =>
        line(80, 560 - heightOf(value), 920, 560 - heightOf(value), 1, '#ddd') +
        text(68, 565 - heightOf(value), 13, String(value), toRight),
    ),
    ...months.map((month, index) => text(115 + index * 70, 584, 13, month, 'text-anchor="middle"')),
    ...series.flatMap(({ colour, values }, place) =>
      values.map((value, index) => {
        const x = 88 + index * 70 + place * 18;
        return `<rect x="${x}" y="${560 - heightOf(value)}" width="16" height="${heightOf(value)}" fill="${colour}"/>`;
      }),
    ),
    line(80, 560, 920, 560, 1.5),
    ...series.map(
      ({ name, colour }, index) =>
        `<rect x="${620 + index * 105}" y="42" width="14" height="14" fill="${colour}"/>` +
        text(641 + index * 105, 54, 14, name),
    ),
    text(
      60,
      620,
      10,
      'Source: made up for this picture. South overtakes North in July and leads until September.',
    ),
  ].join(''),
);

mkdirSync(samples, { recursive: true });
const png = { palette: true, colours: 64, compressionLevel: 9, effort: 10 };
await sharp(Buffer.from(invoice))
  .png({ ...png, colours: 16 })
  .toFile(join(samples, 'invoice.png'));
await sharp(Buffer.from(chart)).png(png).toFile(join(samples, 'chart.png'));
await sharp(join(fixtures, 'coffee.png'))
  .jpeg({ quality: 88, mozjpeg: true })
  .toFile(join(samples, 'coffee.jpg'));
copyFileSync(join(fixtures, 'rocket.jpg'), join(samples, 'rocket.jpg'));
