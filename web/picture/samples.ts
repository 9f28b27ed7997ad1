/** A picture that comes with the page. */
export interface Sample {
  readonly name: string;
  readonly title: string;
  readonly url: string;
}

export const samples: readonly Sample[] = [
  {
    name: 'invoice.png',
    title: 'Invoice, small text',
    url: new URL('../samples/invoice.png', import.meta.url).href,
  },
  { name: 'chart.png', title: 'Chart', url: new URL('../samples/chart.png', import.meta.url).href },
  { name: 'coffee.jpg', title: 'Coffee', url: new URL('../samples/coffee.jpg', import.meta.url).href },
  { name: 'rocket.jpg', title: 'Rocket', url: new URL('../samples/rocket.jpg', import.meta.url).href },
];
