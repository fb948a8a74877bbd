import { type InputHTMLAttributes, type ReactNode, type Ref, useId } from 'react'
import { cx } from './cx'
import { type FieldProps, FieldSet, fieldOf } from './Field'
import css from './Field.module.css'

interface BoxProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'type' | 'size'> {
  label: ReactNode
  help?: ReactNode
  ref?: Ref<HTMLInputElement>
}

function Box({ label, help, className, role, ...input }: BoxProps) {
  const id = useId()
  return (
    <label className={css.check}>
      <input type="checkbox" role={role} aria-describedby={help ? id : undefined} {...input} className={className} />
      <span>
        {label}
        {help && (
          <span id={id} className={css.help} style={{ display: 'block' }}>
            {help}
          </span>
        )}
      </span>
    </label>
  )
}

/** One thing that is or is not chosen; it counts when the form is sent. */
export function Checkbox(props: BoxProps) {
  return <Box {...props} />
}

/** One thing that is on or off, at once or as a setting. */
export function Switch(props: BoxProps) {
  return <Box {...props} role="switch" className={css.switch} />
}

export interface RadioOption<V extends string> {
  value: V
  label: string
  help?: ReactNode
  disabled?: boolean
}

export interface RadioCardsProps<V extends string> extends FieldProps {
  value: V | undefined
  onChange: (value: V) => void
  options: RadioOption<V>[]
}

/** A choice of few, each with a sentence. */
export function RadioCards<V extends string>(props: RadioCardsProps<V>) {
  const [field, { value, onChange, options }] = fieldOf(props)
  const name = useId()
  return (
    <FieldSet {...field}>
      <div className={css.cardsRoom}>
        <div className={css.cards} data-count={options.length}>
          {options.map((o) => (
            <label key={o.value} className={css.card}>
              <input
                type="radio"
                name={name}
                value={o.value}
                checked={o.value === value}
                disabled={o.disabled}
                onChange={() => onChange(o.value)}
              />
              <span className={css.cardText}>
                <b>{o.label}</b>
                {o.help && <span className={cx(css.help)}>{o.help}</span>}
              </span>
            </label>
          ))}
        </div>
      </div>
    </FieldSet>
  )
}
