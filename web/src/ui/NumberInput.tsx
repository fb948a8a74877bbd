import { type KeyboardEvent, useEffect, useState } from 'react'
import { cx } from './cx'
import { Field, type FieldProps, fieldOf } from './Field'
import css from './Field.module.css'

export interface NumberInputProps extends FieldProps {
  /** Undefined: nothing is written. */
  value: number | undefined
  onChange: (value: number | undefined) => void
  onBlur?: () => void
  min?: number
  max?: number
  /** Of the arrow keys; default 1. */
  step?: number
  /** Written behind the number, such as "ms". */
  unit?: string
  /** Whole numbers only; default true. */
  whole?: boolean
  disabled?: boolean
  name?: string
}

/** The number that a text means; undefined if it means none. */
export function readNumber(text: string, whole: boolean): number | undefined {
  const plain = text
    .trim()
    .replace(/[\s,_]/g, '')
    .replace('−', '-')
  if (!(whole ? /^-?\d+$/ : /^-?\d*\.?\d+$/).test(plain)) return undefined
  return Number(plain)
}

/** A number with its unit. What cannot be read stays in the box and counts as no value, so that nothing is guessed. */
export function NumberInput(props: NumberInputProps) {
  const [field, { value, onChange, onBlur, min, max, step = 1, unit, whole = true, disabled, name }] = fieldOf(props)
  const [text, setText] = useState(value === undefined ? '' : String(value))
  useEffect(() => {
    setText((now) => (readNumber(now, whole) === value ? now : value === undefined ? '' : String(value)))
  }, [value, whole])

  const clamp = (n: number) => Math.min(max ?? Number.POSITIVE_INFINITY, Math.max(min ?? Number.NEGATIVE_INFINITY, n))
  const move = (e: KeyboardEvent, by: number) => {
    e.preventDefault()
    onChange(clamp((readNumber(text, whole) ?? min ?? 0) + by))
  }
  return (
    <Field {...field}>
      {(control) => (
        <div className={css.wrap}>
          <input
            {...control}
            name={name}
            disabled={disabled}
            className={cx(css.input, unit && css.withUnit)}
            inputMode={whole ? 'numeric' : 'decimal'}
            autoComplete="off"
            value={text}
            onChange={(e) => {
              setText(e.target.value)
              onChange(readNumber(e.target.value, whole))
            }}
            onBlur={onBlur}
            onKeyDown={(e) => {
              if (e.key === 'ArrowUp') move(e, step)
              if (e.key === 'ArrowDown') move(e, -step)
            }}
          />
          {unit && (
            <span className={css.unit} aria-hidden>
              {unit}
            </span>
          )}
        </div>
      )}
    </Field>
  )
}
