/// The report's style sheet.
enum Style {
  /// Colours repeat after eight arms; shapes repeat after six, so pairs stay distinct up to 24.
  static func slot(_ arm: Int) -> Int { arm % 8 }

  /// Colours of arms after Okabe and Ito, told apart with every kind of colour vision; lighter ones
  /// on dark ground, so that all keep a contrast of 3 to 1.
  static let sheet: HTML = """
    :root {
      color-scheme: light dark;
      --ground: #ffffff; --panel: #f6f7f9; --ink: #1a1d21; --soft: #5a636e; --rule: #d9dde2;
      --notice: #fff4d6; --notice-rule: #e0b23c;
      --arm0: #0072b2; --arm1: #d55e00; --arm2: #00875f; --arm3: #b5528f;
      --arm4: #a87400; --arm5: #2b8cc4; --arm6: #4d4d4d; --arm7: #6a4fb3;
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        --ground: #14171a; --panel: #1d2126; --ink: #e8eaed; --soft: #a3acb6; --rule: #363c44;
        --notice: #332b14; --notice-rule: #a3822c;
        --arm0: #56b4e9; --arm1: #f58442; --arm2: #2fc79a; --arm3: #e08fc0;
        --arm4: #e6b422; --arm5: #8ecdf2; --arm6: #c4c4c4; --arm7: #b3a1f0;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
    body { margin: 0; background: var(--ground); color: var(--ink);
      font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif; }
    main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 56px; }
    .eyebrow { margin: 0 0 10px; color: var(--soft); font-size: 14px; }
    h1 { margin: 0 0 16px; font-size: 30px; line-height: 1.22; font-weight: 650;
      letter-spacing: -0.012em; text-wrap: balance; }
    h2 { margin: 48px 0 14px; font-size: 20px; line-height: 1.3; font-weight: 650; }
    body, td, th { overflow-wrap: break-word; }
    .legend li, figcaption { overflow-wrap: anywhere; }
    p { margin: 0 0 12px; max-width: 68ch; text-wrap: pretty; }
    .soft { color: var(--soft); }
    .opening { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
      gap: 20px 40px; align-items: start; }
    .notice { background: var(--notice); border-left: 4px solid var(--notice-rule);
      padding: 10px 14px; margin: 0 0 20px; max-width: none; }
    figure { margin: 0; min-width: 0; break-inside: avoid; }
    figcaption { margin-bottom: 8px; font-weight: 600; line-height: 1.35; }
    figcaption span { display: block; font-weight: 400; font-size: 14px; color: var(--soft); }
    .figures { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 36px 40px; }
    .figures figure { display: flex; flex-direction: column; }
    .figures svg.plot { margin-top: auto; }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0 0 8px; padding: 0;
      list-style: none; font-size: 14px; line-height: 1.5; }
    .legend svg { width: 22px; height: 14px; margin-right: 6px; vertical-align: -2px; }
    .wiring { display: block; height: auto; max-width: 100%; }
    .figures .whole { grid-column: 1 / -1; }
    svg.plot { display: block; width: 100%; height: auto; }
    .plot text { font-size: 12.5px; fill: var(--soft); font-variant-numeric: tabular-nums; }
    .plot .name { fill: var(--ink); font-weight: 600; }
    .plot .value { fill: var(--ink); }
    .plot .halo { paint-order: stroke; stroke: var(--ground); stroke-width: 4px;
      stroke-linejoin: round; }
    .grid { stroke: var(--rule); stroke-width: 1; }
    .axis { stroke: var(--soft); stroke-width: 1; }
    .line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
    .band { fill: currentColor; opacity: 0.17; }
    .error { stroke: currentColor; stroke-width: 2; }
    .dot { fill: currentColor; opacity: 0.5; }
    .end { fill: currentColor; }
    .cells { image-rendering: pixelated; }
    .no-number { fill: #808080; }
    .frame { fill: none; stroke: var(--rule); stroke-width: 1; }
    .card { border-top: 1px solid var(--rule); margin-top: 40px; padding-top: 20px; }
    h3 { margin: 0 0 10px; font-size: 18px; line-height: 1.35; font-weight: 650; max-width: 60ch; }
    .wide { overflow-x: auto; }
    .conditions { margin: 14px 0; padding: 0; list-style: none; }
    .conditions li { margin: 4px 0; }
    .verdict { display: inline-block; padding: 0 8px; border-radius: 9px; font-size: 13px; line-height: 1.5;
      border: 1px solid currentColor; color: var(--soft); white-space: nowrap; }
    .verdict.holds { color: var(--arm2); } .verdict.contradicted { color: var(--arm1); }
    .verdict.smaller-than-claimed { color: var(--arm3); }
    .conditions li { margin: 10px 0; } svg.strip { max-width: 420px; }
    button { font: inherit; font-size: 14px; padding: 1px 10px; border: 1px solid var(--rule); border-radius: 9px;
      background: var(--panel); color: var(--ink); cursor: pointer; }
    .card > .figures { margin-top: 26px; }
    .prose td, .prose th { text-align: left; white-space: normal; }
    .arms thead th { white-space: normal; vertical-align: bottom; }
    .marker { fill: currentColor; stroke: var(--ground); stroke-width: 1.5; }
    .arm0 { color: var(--arm0); } .arm1 { color: var(--arm1); } .arm2 { color: var(--arm2); }
    .arm3 { color: var(--arm3); } .arm4 { color: var(--arm4); } .arm5 { color: var(--arm5); }
    .arm6 { color: var(--arm6); } .arm7 { color: var(--arm7); }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th, td { padding: 9px 0 9px 18px; text-align: right; border-bottom: 1px solid var(--rule);
      white-space: nowrap; }
    thead th { color: var(--soft); font-weight: 500; font-size: 14px; vertical-align: bottom;
      line-height: 1.3; white-space: normal; }
    table + p { margin-top: 14px; font-size: 14px; }
    th:first-child { padding-left: 0; text-align: left; white-space: normal; }
    tbody th { font-weight: 600; }
    .key { display: inline-block; width: 22px; height: 14px; margin-right: 6px;
      vertical-align: -2px; }
    pre { margin: 0; padding: 14px 16px; background: var(--panel); border-radius: 6px;
      font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
      white-space: pre-wrap; overflow-wrap: anywhere; }
    .word { display: inline-block; max-width: 100%; }
    dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 24px; margin: 0; }
    dt { color: var(--soft); }
    dd { margin: 0; overflow-wrap: anywhere; }
    @media screen and (max-width: 760px) {
      main { padding: 22px 16px 40px; }
      h1 { font-size: 23px; }
      h2 { margin-top: 38px; }
      .opening, .figures { grid-template-columns: minmax(0, 1fr); }
      .figures { gap: 34px; }
      .wiring { max-width: none; }
      .plot text { font-size: 15px; }
      dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
      dd { margin-bottom: 10px; }
    }
    @media screen and (max-width: 900px) {
      thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
        clip-path: inset(50%); }
      table, tbody { display: block; }
      tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(142px, 1fr));
        gap: 4px 16px; padding: 12px 0; border-bottom: 1px solid var(--rule); }
      tbody th { grid-column: 1 / -1; padding: 0 0 2px; border: 0; }
      .none { display: none; }
      .prose td { grid-column: 1 / -1; }
      td { display: block; padding: 0; border: 0; text-align: left; }
      td::before { content: attr(data-label); display: block; color: var(--soft);
        font-size: 13px; line-height: 1.3; }
    }
    @media print {
      main { max-width: none; padding: 0; }
      body { font-size: 11pt; }
      h2 { break-after: avoid; }
      tr, pre, dl { break-inside: avoid; }
      th, td { padding-left: 10px; font-size: 9.5pt; }
      pre { border: 1px solid var(--rule); }
    }
    """
}
