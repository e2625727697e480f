const { SwcJsMinimizerRspackPlugin } = require("@rspack/core");

// JupyterLab's builder expects JavaScript. This loader compiles TypeScript, and `tsc` only checks the types.
const typescript = {
  test: /\.tsx?$/,
  loader: "builtin:swc-loader",
  options: {
    jsc: {
      parser: { syntax: "typescript", tsx: true },
      transform: { react: { runtime: "classic", pragma: "h", pragmaFrag: "Fragment" } },
      target: "es2022",
    },
  },
};

// The builder imports files with this name as text.
const smallStyle = {
  test: /\.raw\.css$/,
  enforce: "pre",
  loader: "builtin:lightningcss-loader",
  options: { minify: true },
};

// Private members begin with an underscore. No other names do that have three lower-case letters after it.
const smallScript = new SwcJsMinimizerRspackPlugin({
  minimizerOptions: {
    ecma: 2020,
    compress: { ecma: 2020, passes: 3, unsafe_arrows: true, unsafe_methods: true },
    mangle: { props: { regex: "^_[a-z]{3}" } },
  },
});

// A separate file, loaded when JupyterLab has started.
const LATER = /^studio\./;

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

/**
 * Takes the packages that JupyterLab shares, in JupyterLab's version.
 *
 * Rspack's own code, of 9 kB, compares versions, for packages that a page has twice or not at all.
 */
class SharedPackages {
  apply({ hooks }) {
    hooks.thisCompilation.tap("SharedPackages", (compilation) => {
      compilation.hooks.runtimeModule.tap("SharedPackages", ({ name, source }) => {
        if (name !== "consumes_loading") return;
        const text = source.source.toString("utf8");
        const names = [...text.matchAll(/"(\d+)": \{ shareScope: "default", shareKey: ("[^"]+")/g)];
        const [, chunks] = /chunkMapping: (\{.*?\})/.exec(text);
        const packages = names.map(([, id, key]) => `${id}: ${key}`).join();
        source.source = Buffer.from(`(${take})(__webpack_require__, ${chunks}, {${packages}});`);
      });
    });
  }
}

/** Runs in the browser. `chunks`: the ids of the packages for each chunk; `packages`: their names. */
function take(require, chunks, packages) {
  const taken = {};
  const load = async (id) => {
    await require.I("default");
    const versions = Object.values(require.S.default[packages[id]]);
    // JupyterLab's own is the first
    const version = versions.find(({ loaded }) => loaded) ?? versions[0];
    version.loaded = 1;
    const factory = await version.get();
    require.m[id] = (module) => {
      module.exports = factory();
    };
  };
  require.f.consumes = (chunk, promises) => {
    for (const id of chunks[chunk] ?? []) promises.push((taken[id] ??= load(id)));
  };
}

module.exports = {
  plugins: [new OneFile(), new SharedPackages()],
  optimization: { minimizer: [smallScript] },
  resolve: { extensions: [".ts", ".tsx", ".js"] },
  module: {
    rules: [typescript, smallStyle, { test: /\.svg$/, issuer: /\.tsx?$/, type: "asset/source" }],
  },
};
