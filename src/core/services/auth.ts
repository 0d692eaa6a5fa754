/** An authentication back end of a module, asked where `auth.backends` of the host type names `plugin`. */
import type { AuthBackend } from '../auth.ts'

declare module '../services.ts' {
  interface Services {
    'auth-backend': AuthBackend
  }
}
