import { type ReactNode, useId } from 'react'
import { useI18n } from '../i18n'
import css from './Field.module.css'
import { AlertIcon, CheckIcon } from './icons'

/** What every input has around it. */
export interface FieldProps {
  label: string
  /** One sentence below the label, always there. */
  help?: ReactNode
  /** What is wrong with the value; it is read out. */
  error?: string
  /** What may be wrong; it does not keep anyone from going on. */
  warning?: string
  /** What was found right, such as "free". */
  good?: string
  /** Says "optional" beside the label. Where most fields are required this marks fewer. */
  optional?: boolean
  required?: boolean
  /** Only for those who hear the page. */
  hideLabel?: boolean
}

/** Ids and states that an input takes from its field. */
export interface Control {
  id: string
  'aria-describedby'?: string
  'aria-invalid'?: true
  'aria-required'?: true
}

/** Label, help and error around one input. */
export function Field({ children, ...p }: FieldProps & { children: (control: Control) => ReactNode }) {
  const id = useId()
  const { t } = useI18n()
  const notes = [
    p.help && `${id}h`,
    p.error && `${id}e`,
    !p.error && p.warning && `${id}w`,
    !p.error && !p.warning && p.good && `${id}g`,
  ]
  return (
    <div className={css.field}>
      <label htmlFor={id} className={p.hideLabel ? 'visually-hidden' : css.label}>
        {p.label}
        {p.optional && <span className={css.aside}>{t('ui.optional')}</span>}
      </label>
      {children({
        id,
        'aria-describedby': notes.filter(Boolean).join(' ') || undefined,
        'aria-invalid': p.error ? true : undefined,
        'aria-required': p.required || undefined,
      })}
      <Notes id={id} {...p} />
    </div>
  )
}

/** Help, error, warning and good news of a field or a group of them. */
export function Notes({ id, help, error, warning, good }: FieldProps & { id: string }) {
  return (
    <>
      {help && (
        <div id={`${id}h`} className={css.help}>
          {help}
        </div>
      )}
      <div aria-live="polite" className={css.live}>
        {error && (
          <div id={`${id}e`} className={css.error}>
            <AlertIcon size={14} aria-hidden />
            <span>{error}</span>
          </div>
        )}
        {!error && warning && (
          <div id={`${id}w`} className={css.warning}>
            <AlertIcon size={14} aria-hidden />
            <span>{warning}</span>
          </div>
        )}
        {!error && !warning && good && (
          <div id={`${id}g`} className={css.good}>
            <CheckIcon size={14} aria-hidden />
            <span>{good}</span>
          </div>
        )}
      </div>
    </>
  )
}

/** A group of inputs with one name, such as radio buttons. */
export function FieldSet({ children, ...p }: FieldProps & { children: ReactNode }) {
  const id = useId()
  return (
    <fieldset
      className={css.field}
      aria-describedby={[p.help && `${id}h`, p.error && `${id}e`].filter(Boolean).join(' ') || undefined}
    >
      <legend className={p.hideLabel ? 'visually-hidden' : css.label} style={{ padding: 0, marginBottom: 4 }}>
        {p.label}
      </legend>
      {children}
      <Notes id={id} {...p} />
    </fieldset>
  )
}

/** Takes the field's own properties out of an input's. */
export function fieldOf<P extends FieldProps>(props: P): [FieldProps, Omit<P, keyof FieldProps>] {
  const { label, help, error, warning, good, optional, required, hideLabel, ...rest } = props
  return [{ label, help, error, warning, good, optional, required, hideLabel }, rest]
}
