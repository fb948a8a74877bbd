import { type InputHTMLAttributes, type Ref, type TextareaHTMLAttributes, useState } from 'react'
import { useI18n } from '../i18n'
import { IconButton } from './Button'
import { cx, type Icon } from './cx'
import { Field, type FieldProps, fieldOf } from './Field'
import css from './Field.module.css'
import { EyeIcon, EyeOffIcon } from './icons'

export interface TextInputProps extends FieldProps, Omit<InputHTMLAttributes<HTMLInputElement>, 'required' | 'size'> {
  icon?: Icon
  /** For ids, addresses and other text that machines read. */
  mono?: boolean
  ref?: Ref<HTMLInputElement>
}

/** One line of text. Takes what react-hook-form's register gives. */
export function TextInput(props: TextInputProps) {
  const [field, { icon: Glyph, mono, className, ...input }] = fieldOf(props)
  return (
    <Field {...field}>
      {(control) => (
        <div className={css.wrap}>
          {Glyph && <Glyph size={16} className={css.lead} aria-hidden />}
          <input
            type="text"
            autoComplete="off"
            spellCheck={mono ? false : undefined}
            {...input}
            {...control}
            className={cx(css.input, mono && css.mono, Glyph && css.withLead, className)}
          />
        </div>
      )}
    </Field>
  )
}

/** A password, with a button that shows it. */
export function PasswordInput(props: Omit<TextInputProps, 'icon' | 'mono' | 'type'>) {
  const [field, { className, ...input }] = fieldOf(props)
  const [shown, setShown] = useState(false)
  const { t } = useI18n()
  return (
    <Field {...field}>
      {(control) => (
        <div className={css.wrap}>
          <input
            {...input}
            {...control}
            type={shown ? 'text' : 'password'}
            spellCheck={false}
            className={cx(css.input, css.withTrail, className)}
          />
          <span className={css.trail}>
            <IconButton
              small
              icon={shown ? EyeOffIcon : EyeIcon}
              label={t(shown ? 'ui.hidePassword' : 'ui.showPassword')}
              onClick={() => setShown(!shown)}
            />
          </span>
        </div>
      )}
    </Field>
  )
}

/** Several lines of text. */
export function TextArea(
  props: FieldProps &
    Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'required'> & { mono?: boolean; ref?: Ref<HTMLTextAreaElement> },
) {
  const [field, { mono, className, ...input }] = fieldOf(props)
  return (
    <Field {...field}>
      {(control) => <textarea {...input} {...control} className={cx(css.input, mono && css.mono, className)} />}
    </Field>
  )
}
