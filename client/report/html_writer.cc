#include "client/report/html_writer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cli/table.h"

namespace modelpatch::client::report {
namespace {

// No scripts, and nothing from elsewhere: the page says so to the browser too.
constexpr char kHead[] = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
)";
constexpr char kStyle[] = R"(<style>
body { font: 15px/1.5 sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.35rem; margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
h3 { font-size: 1.1rem; margin-top: 1.8rem; }
.scroll { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #444; padding: 0.2rem 0; }
th, td { padding: 0.2rem 0.7rem; text-align: left; vertical-align: top; border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 1px solid #888; font-weight: 600; }
.n { text-align: right; white-space: nowrap; }
tr.marked td { font-weight: 700; background: #eef4f8; }
figure { margin: 1.2rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption { font-size: 0.9rem; color: #444; max-width: 48rem; }
pre { background: #f6f6f6; padding: 0.7rem; overflow-x: auto; font-size: 0.85rem; }
@media print { body { max-width: none; } figure, table { break-inside: avoid; } }
</style>
)";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  return absl::StrReplaceAll(Printable(text),
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

HtmlWriter::HtmlWriter(std::string_view title) : title_(EscapeHtml(title)) {}

void HtmlWriter::Heading(int level, std::string_view text, std::string_view id) {
  const std::string attribute = id.empty() ? "" : absl::StrCat(" id=\"", EscapeHtml(id), "\"");
  absl::StrAppend(&body_, "<h", level, attribute, ">", EscapeHtml(text), "</h", level, ">\n");
}

void HtmlWriter::Paragraph(std::string_view text) { absl::StrAppend(&body_, "<p>", EscapeHtml(text), "</p>\n"); }

void HtmlWriter::Contents(const std::vector<std::pair<std::string, std::string>>& entries) {
  body_ += "<ul>\n";
  for (const auto& [id, text] : entries) {
    absl::StrAppend(&body_, "<li><a href=\"#", EscapeHtml(id), "\">", EscapeHtml(text), "</a></li>\n");
  }
  body_ += "</ul>\n";
}

void HtmlWriter::Table(const DisplayTable& table, std::string_view caption) {
  if (table.empty()) return;
  body_ += "<div class=\"scroll\"><table>\n";
  if (!caption.empty()) absl::StrAppend(&body_, "<caption>", EscapeHtml(caption), "</caption>\n");
  body_ += "<thead><tr>";
  for (const DisplayColumn& column : table.columns) {
    absl::StrAppend(&body_, column.numeric ? "<th class=\"n\">" : "<th>", EscapeHtml(column.title), "</th>");
  }
  body_ += "</tr></thead>\n<tbody>\n";
  for (const DisplayRow& row : table.rows) {
    body_ += row.marked ? "<tr class=\"marked\">" : "<tr>";
    for (size_t c = 0; c < row.cells.size() && c < table.columns.size(); ++c) {
      absl::StrAppend(&body_, table.columns[c].numeric ? "<td class=\"n\">" : "<td>", EscapeHtml(row.cells[c]),
                      "</td>");
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
}

void HtmlWriter::Lines(const std::vector<std::pair<std::string, std::string>>& lines, std::string_view caption) {
  if (lines.empty()) return;
  body_ += "<div class=\"scroll\"><table>\n";
  if (!caption.empty()) absl::StrAppend(&body_, "<caption>", EscapeHtml(caption), "</caption>\n");
  for (const auto& [label, value] : lines) {
    absl::StrAppend(&body_, "<tr><th>", EscapeHtml(label), "</th><td>", EscapeHtml(value), "</td></tr>\n");
  }
  body_ += "</table></div>\n";
}

void HtmlWriter::Code(std::string_view text) {
  body_ += "<pre>";
  const char* separator = "";
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(std::string(text), '\n'))) {
    absl::StrAppend(&body_, separator, EscapeHtml(line));
    separator = "\n";
  }
  body_ += "</pre>\n";
}

void HtmlWriter::Figure(const std::string& svg, std::string_view title, std::string_view caption) {
  absl::StrAppend(&body_, "<figure>\n", svg, "\n<figcaption><b>", EscapeHtml(title), ".</b> ", EscapeHtml(caption),
                  "</figcaption>\n</figure>\n");
}

std::string HtmlWriter::Finish() const {
  return absl::StrCat(kHead, "<title>", title_, "</title>\n", kStyle, "</head>\n<body>\n", body_, "</body>\n</html>\n");
}

}  // namespace modelpatch::client::report
