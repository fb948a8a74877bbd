import {
  cloneElement,
  type FocusEvent,
  type KeyboardEvent,
  type PointerEvent,
  type ReactElement,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { createPortal } from 'react-dom'
import css from './Floating.module.css'

const delay = 350
const gap = 6
const edge = 8

/** A word or a sentence about a control, at the pointer's and the keyboard's visit. It never holds what is needed. */
export function Tooltip({ label, children }: { label: string; children: ReactElement<Record<string, unknown>> }) {
  const [anchor, setAnchor] = useState<Element | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const id = useId()
  useEffect(() => () => clearTimeout(timer.current), [])

  const own = children.props as {
    onPointerEnter?: (e: PointerEvent) => void
    onPointerLeave?: (e: PointerEvent) => void
    onFocus?: (e: FocusEvent) => void
    onBlur?: (e: FocusEvent) => void
    onKeyDown?: (e: KeyboardEvent) => void
    onPointerDown?: (e: PointerEvent) => void
    'aria-label'?: string
  }
  const show = (at: Element, wait: number) => {
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setAnchor(at), wait)
  }
  const hide = () => {
    clearTimeout(timer.current)
    setAnchor(null)
  }
  const target = cloneElement(children, {
    'aria-describedby': anchor && own['aria-label'] !== label ? id : undefined,
    onPointerEnter: (e: PointerEvent) => {
      own.onPointerEnter?.(e)
      if (e.pointerType !== 'touch') show(e.currentTarget, delay)
    },
    onPointerLeave: (e: PointerEvent) => {
      own.onPointerLeave?.(e)
      hide()
    },
    onPointerDown: (e: PointerEvent) => {
      own.onPointerDown?.(e)
      hide()
    },
    onFocus: (e: FocusEvent) => {
      own.onFocus?.(e)
      if (e.currentTarget.matches(':focus-visible')) show(e.currentTarget, delay)
    },
    onBlur: (e: FocusEvent) => {
      own.onBlur?.(e)
      hide()
    },
    onKeyDown: (e: KeyboardEvent) => {
      own.onKeyDown?.(e)
      if (e.key === 'Escape') hide()
    },
  })
  return (
    <>
      {target}
      {anchor?.isConnected && createPortal(<Bubble id={id} label={label} anchor={anchor} />, document.body)}
    </>
  )
}

function Bubble({ id, label, anchor }: { id: string; label: string; anchor: Element }) {
  const box = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const self = box.current
    if (!self) return
    const a = anchor.getBoundingClientRect()
    const s = self.getBoundingClientRect()
    const below = a.bottom + gap + s.height < window.innerHeight
    const left = Math.min(Math.max(edge, a.left + a.width / 2 - s.width / 2), window.innerWidth - s.width - edge)
    self.style.top = `${below ? a.bottom + gap : a.top - gap - s.height}px`
    self.style.left = `${left}px`
  }, [anchor])
  return (
    <div ref={box} id={id} role="tooltip" className={css.tooltip}>
      {label}
    </div>
  )
}
