import { render } from 'preact';
import { PageContext, startPage } from './state/page.ts';
import { App } from './view/app.tsx';

const page = startPage(new URL('.', document.baseURI));

render(
  <PageContext.Provider value={page}>
    <App />
  </PageContext.Provider>,
  document.getElementById('page')!,
);
