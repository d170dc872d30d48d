namespace Unroll.Plots;

public sealed partial class HtmlReport
{
    const string Css = """
        :root {
          --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d5dae0; --wash: #f5f7f9;
          --accent: #0072b2; --stress: #e4f1f9; --card: #ffffff;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14171b; --ink: #e3e7ec; --soft: #9aa4af; --line: #343b44; --wash: #1d2228;
            --accent: #62b8ea; --stress: #173347; --card: #ffffff;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 1.0625rem/1.65 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
          overflow-wrap: break-word;
        }
        main { max-width: 60rem; margin: 0 auto; padding: 3.5rem 1.75rem 5rem; }
        header { padding-bottom: 1.5rem; border-bottom: 1px solid var(--line); margin-bottom: 2.25rem; }
        h1 { font-size: clamp(1.7rem, 5vw, 2.4rem); line-height: 1.2; letter-spacing: -0.018em; margin: 0; font-weight: 650; text-wrap: balance; }
        h2 { font-size: 1.4rem; line-height: 1.3; letter-spacing: -0.01em; margin: 3.25rem 0 0.9rem; font-weight: 620; }
        .subtitle { margin: 0.7rem 0 0; color: var(--soft); font-size: 1.15rem; line-height: 1.5; max-width: 46rem; }
        p { margin: 0 0 1.1rem; max-width: 46rem; }
        code, pre { font-family: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
        code { font-size: 0.88em; background: var(--wash); border: 1px solid var(--line); border-radius: 0.3em; padding: 0.08em 0.34em; }
        pre { background: var(--wash); border: 1px solid var(--line); border-radius: 0.5rem; padding: 1rem 1.2rem; overflow-x: auto; line-height: 1.5; font-size: 0.88rem; margin: 1.4rem 0; }
        pre code { background: none; border: 0; padding: 0; font-size: inherit; }
        .note { border-left: 3px solid var(--accent); background: var(--wash); padding: 0.9rem 1.25rem; margin: 1.6rem 0; border-radius: 0 0.4rem 0.4rem 0; }
        .note p:last-child, details p:last-child { margin-bottom: 0; }
        .settings { margin: 1.4rem 0 1.8rem; max-width: 46rem; font-size: 0.97rem; }
        .settings div { display: grid; grid-template-columns: minmax(6rem, 11rem) 1fr; gap: 1.25rem; padding: 0.42rem 0; border-bottom: 1px solid var(--line); }
        dt { color: var(--soft); }
        dd { margin: 0; font-variant-numeric: tabular-nums; min-width: 0; overflow-wrap: anywhere; }
        .table { overflow-x: auto; margin: 1.6rem 0 2rem; }
        table { border-collapse: collapse; min-width: 100%; font-size: 0.97rem; line-height: 1.45; font-variant-numeric: tabular-nums lining-nums; border-top: 2px solid var(--ink); border-bottom: 1px solid var(--ink); }
        th, td { text-align: left; padding: 0.5rem 0.9rem; vertical-align: top; }
        th { font-weight: 620; vertical-align: bottom; border-bottom: 1px solid var(--ink); }
        td { border-bottom: 1px solid var(--line); }
        tbody tr:last-child td { border-bottom: 0; }
        td:not(.number) { min-width: 7rem; }
        td:first-child:not(.number) { min-width: 12rem; }
        .number { text-align: right; white-space: nowrap; }
        .highlighted td { background: var(--stress); font-weight: 600; }
        figure { margin: 2rem 0 2.5rem; }
        .card { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.75rem; }
        .card svg { display: block; width: 100%; height: auto; }
        figcaption { margin-top: 0.75rem; color: var(--soft); font-size: 0.95rem; line-height: 1.55; max-width: 50rem; }
        figcaption b { color: var(--ink); font-weight: 620; }
        details { border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); padding: 0.8rem 0; margin: 1.4rem 0; }
        details + details { margin-top: -1.4rem; border-top: 0; }
        summary { cursor: pointer; font-weight: 600; }
        details[open] summary { margin-bottom: 0.7rem; }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
        @media (max-width: 40rem) {
          body { font-size: 1rem; }
          main { padding: 2rem 1.1rem 3.5rem; }
          h2 { margin-top: 2.5rem; }
          .card { padding: 0.3rem; }
          th, td { padding: 0.45rem 0.6rem; }
        }
        @media print {
          :root { --paper: #ffffff; --ink: #000000; --soft: #444444; --line: #cccccc; --wash: #f6f6f6; --accent: #0072b2; --stress: #eaf3f9; }
          body { font-size: 10.5pt; }
          main { max-width: none; padding: 0; }
          h2 { break-after: avoid; margin-top: 1.8rem; }
          figure, tr, .note, pre { break-inside: avoid; }
          pre { white-space: pre-wrap; }
        }
        """;
}
