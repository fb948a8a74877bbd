import { useEffect, useState } from 'react'

/** The time of now, told anew every so many milliseconds, so that ages on a page grow. */
export function useNow(every: number): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every)
    return () => clearInterval(timer)
  }, [every])
  return now
}
