import { useState } from 'preact/hooks';
import { recipeNames } from '../service/choice.ts';
import { recipes } from '../service/metadata.ts';
import type { RequestOption } from '../service/option.ts';
import type { Panel } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';

/** Chooses a panel's model, recipe and options. */
export function ChoiceForm({ panel, number, isOnly }: { panel: Panel; number: number; isOnly: boolean }) {
  const models = useSelected(({ service }) => service.models);
  const options = useSelected(({ service }) => service.options);
  const { actions } = usePage();
  const { id, choice } = panel;
  const offered = options[choice.recipe];
  const set = Object.keys(choice.options).length;
  const setOption = (name: string, value: string): void => {
    const { [name]: _, ...others } = choice.options;
    actions.choose(id, { ...choice, options: value === '' ? others : { ...others, [name]: value } });
  };
  return (
    <form class="choice" onSubmit={(event) => event.preventDefault()}>
      <label>
        Model
        <select
          value={choice.model}
          onChange={({ currentTarget }) => actions.choose(id, { ...choice, model: currentTarget.value })}
        >
          <option value="">{choice.recipe === 'teacher' ? "the service's teacher" : 'the default'}</option>
          {models.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Recipe
        <select
          value={choice.recipe}
          onChange={({ currentTarget }) => {
            const recipe = recipes.find((one) => one === currentTarget.value) ?? 'encode';
            actions.choose(id, { ...choice, recipe, options: {} });
          }}
        >
          {recipes.map((recipe) => (
            <option key={recipe} value={recipe}>
              {recipeNames[recipe]}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        disabled={isOnly}
        class="remove"
        title="Remove this panel"
        aria-label={`Remove panel ${number}`}
        onClick={() => actions.removePanel(id)}
      >
        ✕
      </button>
      {offered.length > 0 && (
        <details>
          <summary>Options{set > 0 && ` (${set} set)`}</summary>
          <div class="options">
            {offered.map((option) => (
              <OptionField
                key={option.name}
                id={`option-${id}-${option.name}`}
                option={option}
                value={choice.options[option.name] ?? ''}
                onChange={(value) => setOption(option.name, value)}
              />
            ))}
          </div>
        </details>
      )}
    </form>
  );
}

interface OptionFieldProps {
  readonly id: string;
  readonly option: RequestOption;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** One option; empty stands for the service's default. */
function OptionField({
  id,
  option: { name, values, default: standard, description },
  value,
  onChange,
}: OptionFieldProps) {
  // What is half typed: drawing the field again would take it back.
  const [draft, setDraft] = useState<string>();
  const empty = standard === undefined ? 'default' : `default: ${standard}`;
  return (
    <div>
      <label>
        {name}
        {values === undefined ? (
          <input
            value={draft ?? value}
            placeholder={empty}
            aria-describedby={id}
            onInput={({ currentTarget }) => setDraft(currentTarget.value)}
            onChange={({ currentTarget }) => {
              setDraft(undefined);
              onChange(currentTarget.value.trim());
            }}
          />
        ) : (
          <select
            value={value}
            aria-describedby={id}
            onChange={({ currentTarget }) => onChange(currentTarget.value)}
          >
            <option value="">{empty}</option>
            {values.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        )}
      </label>
      <p id={id} class="fine">
        {description}
      </p>
    </div>
  );
}
