// JupyterLab's packages import their files without a suffix, which Node.js does not find.
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (error) {
      if (!specifier.startsWith(".")) throw error;
      return next(`${specifier}.js`, context);
    }
  },
});
