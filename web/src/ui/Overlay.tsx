import '@mantine/core/styles/ModalBase.css'
import '@mantine/core/styles/Overlay.css'
import '@mantine/core/styles/Paper.css'
import '@mantine/core/styles/Modal.css'
import '@mantine/core/styles/Drawer.css'
import { Drawer as KitDrawer, Modal as KitModal } from '@mantine/core'
import { type ReactNode, useEffect, useId, useState } from 'react'
import { useI18n } from '../i18n'
import { Button, IconButton } from './Button'
import { cx } from './cx'
import { CloseIcon } from './icons'
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

let locks = 0

/** Keeps the page behind from scrolling. By an attribute, since the kit's own way writes a style element. */
function useScrollLock(open: boolean): void {
  useEffect(() => {
    if (!open) return
    locks++
    document.documentElement.dataset.locked = ''
    return () => {
      locks--
      if (locks === 0) delete document.documentElement.dataset.locked
    }
  }, [open])
}

function Inside({
  id,
  title,
  onClose,
  children,
  foot,
}: Pick<OverlayProps, 'title' | 'onClose' | 'children' | 'foot'> & { id: string }) {
  const { t } = useI18n()
  return (
    <>
      <div className={css.head}>
        <h2 id={id}>{title}</h2>
        <IconButton icon={CloseIcon} label={t('ui.close')} onClick={onClose} bare small />
      </div>
      <div className={css.body}>{children}</div>
      {foot && <div className={css.foot}>{foot}</div>}
    </>
  )
}

/** Something that must be answered before anything else; few things must. */
export function Dialog({ open, onClose, title, children, foot, width = 480 }: OverlayProps) {
  useScrollLock(open)
  const id = useId()
  return (
    <KitModal.Root
      opened={open}
      onClose={onClose}
      size={width}
      lockScroll={false}
      centered
      transitionProps={{ duration: 120, transition: 'pop' }}
    >
      <KitModal.Overlay className={css.veil} />
      <KitModal.Content className={cx(css.content, css.dialog)} aria-labelledby={id}>
        <Inside id={id} title={title} onClose={onClose} foot={foot}>
          {children}
        </Inside>
      </KitModal.Content>
    </KitModal.Root>
  )
}

/** One entry of a list, or a form beside what it belongs to. */
export function Drawer({
  open,
  onClose,
  title,
  children,
  foot,
  width = 560,
  side = 'right',
}: OverlayProps & { side?: 'left' | 'right' }) {
  useScrollLock(open)
  const id = useId()
  return (
    <KitDrawer.Root
      opened={open}
      onClose={onClose}
      position={side}
      size={width}
      lockScroll={false}
      transitionProps={{ duration: 140 }}
    >
      <KitDrawer.Overlay className={css.veil} />
      <KitDrawer.Content className={cx(css.content, css.drawer)} aria-labelledby={id}>
        <Inside id={id} title={title} onClose={onClose} foot={foot}>
          {children}
        </Inside>
      </KitDrawer.Content>
    </KitDrawer.Root>
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
