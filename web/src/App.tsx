import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { useEffect } from 'react'
import { queryClient } from './api/query'
import { I18nProvider } from './i18n'
import { usePrefs } from './prefs'
import { router } from './router'
import { KitProvider } from './ui/Kit'

/** The console. */
export function App() {
  const { density } = usePrefs()
  useEffect(() => {
    document.documentElement.dataset.density = density
  }, [density])
  return (
    <KitProvider>
      <I18nProvider>
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </I18nProvider>
    </KitProvider>
  )
}
