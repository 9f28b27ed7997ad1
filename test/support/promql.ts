import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const tools = resolve('deploy/tools/package.json');
const grammar = '@prometheus-io/lezer-promql';

/** A node of a query's syntax tree, of those parts that are used here. */
interface SyntaxNode {
  readonly from: number;
  readonly to: number;
  readonly name: string;
  readonly type: { readonly isError: boolean };
  readonly node: SyntaxNode;
  getChild(name: string): SyntaxNode | null;
}

/** What a query asks for: a metric by name, and its labels as they are matched. */
export interface Selection {
  readonly metric: string;
  readonly labels: readonly { readonly name: string; readonly operator: string; readonly value: string }[];
}

/** Why queries cannot be read, or undefined. */
export async function missingPromql(): Promise<string | undefined> {
  if (existsSync(`deploy/tools/node_modules/${grammar}`)) return undefined;
  return 'the grammar of PromQL is not there: npm run deploy-tools fetches it';
}

/** What a query selects, by Prometheus' own grammar. Throws where it is no query. */
export async function selectionsOf(query: string): Promise<Selection[]> {
  const file = createRequire(tools).resolve(grammar);
  const { parser } = (await import(pathToFileURL(file).href)) as {
    parser: { parse(text: string): { iterate(spec: { enter(node: SyntaxNode): void }): void } };
  };
  const selections: Selection[] = [];
  const textOf = ({ from, to }: SyntaxNode) => query.slice(from, to);
  let labels: Selection['labels'][number][] = [];
  parser.parse(query).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`no query from character ${node.from} on: ${query}`);
      if (node.name === 'VectorSelector') {
        labels = [];
        const metric = node.node.getChild('Identifier');
        if (metric === null) throw new Error(`a selector without a metric: ${query}`);
        selections.push({ metric: textOf(metric), labels });
      }
      if (node.name === 'UnquotedLabelMatcher') {
        const [name, operator, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((part) =>
          textOf(node.node.getChild(part)!),
        );
        labels.push({ name: name!, operator: operator!, value: JSON.parse(value!) as string });
      }
    },
  });
  return selections;
}
