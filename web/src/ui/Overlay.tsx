import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { useI18n } from '../i18n'
import { Button } from './Button'
import css from './Overlay.module.css'
import { TextInput } from './TextInput'

export interface OverlayProps {
  open: boolean
  onClose: () => void
  title: string
  children: ReactNode
  /** Buttons; the last one is what most people want. */
  foot?: ReactNode
  /** Pixels; a narrow screen is filled. */
  width?: number
}

const DialogLayer = lazy(() => import('./kit/Layers').then((m) => ({ default: m.DialogLayer })))
const DrawerLayer = lazy(() => import('./kit/Layers').then((m) => ({ default: m.DrawerLayer })))

/** Whether something was ever open: its code is fetched then, and it stays so that it can close with grace. */
export function useEver(open: boolean): boolean {
  const ever = useRef(open)
  ever.current ||= open
  return ever.current
}

/** Something that must be answered before anything else; few things must. */
export function Dialog(props: OverlayProps) {
  return (
    useEver(props.open) && (
      <Suspense>
        <DialogLayer {...props} />
      </Suspense>
    )
  )
}

/** One entry of a list, or a form beside what it belongs to. */
export function Drawer(props: OverlayProps & { side?: 'left' | 'right' }) {
  return (
    useEver(props.open) && (
      <Suspense>
        <DrawerLayer {...props} />
      </Suspense>
    )
  )
}

export interface ConfirmProps {
  open: boolean
  onClose: () => void
  title: string
  /** What follows from it, with figures. */
  children: ReactNode
  /** The verb, such as "Delete". */
  action: string
  /** Has to be typed; where live traffic depends on it. */
  name?: string
  onConfirm: () => void
  busy?: boolean
}

/** Asks before what cannot be taken back. */
export function ConfirmByName({ open, onClose, title, children, action, name, onConfirm, busy }: ConfirmProps) {
  const { t } = useI18n()
  const [typed, setTyped] = useState('')
  useEffect(() => {
    if (!open) setTyped('')
  }, [open])
  const ready = !name || typed.trim() === name
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      foot={
        <>
          <Button onClick={onClose}>{t('ui.cancel')}</Button>
          <Button look="danger" disabled={!ready} busy={busy} onClick={onConfirm}>
            {action}
          </Button>
        </>
      }
    >
      <form
        className={css.confirm}
        onSubmit={(e) => {
          e.preventDefault()
          if (ready && !busy) onConfirm()
        }}
      >
        <div>{children}</div>
        {name && (
          <TextInput
            label={t('ui.typeName', { name })}
            value={typed}
            onChange={(e) => setTyped(e.target.value)}
            mono
            data-autofocus
          />
        )}
      </form>
    </Dialog>
  )
}
