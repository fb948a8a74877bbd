import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { useEffect } from 'react'
import { queryClient } from './api/query'
import { I18nProvider } from './i18n'
import { usePrefs, useTheme } from './prefs'
import { router } from './router'

/** The console. */
export function App() {
  const { density } = usePrefs()
  useEffect(() => {
    document.documentElement.dataset.density = density
  }, [density])
  const theme = useTheme()
  useEffect(() => {
    document.documentElement.dataset.mantineColorScheme = theme
  }, [theme])
  return (
    <I18nProvider>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </I18nProvider>
  )
}
