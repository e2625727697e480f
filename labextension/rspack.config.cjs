// JupyterLab's builder expects JavaScript. This loader compiles TypeScript, and `tsc` only checks the types.
const typescript = {
  test: /\.tsx?$/,
  loader: "builtin:swc-loader",
  options: {
    jsc: {
      parser: { syntax: "typescript", tsx: true },
      transform: { react: { runtime: "classic" } },
      target: "es2022",
    },
  },
};

// A separate file, loaded when the dialog opens.
const LATER = /^label-dialog\./;

const smallStyle = {
  test: /\.css$/,
  enforce: "pre",
  loader: "builtin:lightningcss-loader",
  options: { minify: true },
};

/**
 * Joins the chunks and the entry in one file, so that JupyterLab's start needs one more request only.
 *
 * They stay separate chunks: code inside the entry would run before JupyterLab shares its packages.
 */
class OneFile {
  apply({ hooks, rspack }) {
    const { Compilation, sources } = rspack;
    const stage = Compilation.PROCESS_ASSETS_STAGE_REPORT; // with the final names
    hooks.thisCompilation.tap("OneFile", (compilation) => {
      compilation.hooks.processAssets.tap({ name: "OneFile", stage }, (assets) => {
        const scripts = Object.keys(assets).filter((name) => /\.js(?:\?|$)/.test(name));
        const isEntry = (name) => name.startsWith("remoteEntry.");
        const entry = scripts.find(isEntry);
        const chunks = scripts.filter((name) => !isEntry(name) && !LATER.test(name));
        const text = [...chunks, entry].map((name) => assets[name].source()).join("\n");
        compilation.updateAsset(entry, new sources.RawSource(text));
        chunks.forEach((name) => compilation.deleteAsset(name));
      });
    });
  }
}

module.exports = {
  plugins: [new OneFile()],
  resolve: { extensions: [".ts", ".tsx", ".js"] },
  module: {
    rules: [typescript, smallStyle, { test: /\.svg$/, issuer: /\.tsx?$/, type: "asset/source" }],
  },
};
