#include "client/report/data_table.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

std::string CsvText(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string CsvCell(const DataCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return CsvText(*text);
  if (const auto* count = std::get_if<int64_t>(&cell)) return absl::StrCat(*count);
  if (const auto* value = std::get_if<double>(&cell)) return std::isfinite(*value) ? ExactNumber(*value) : "";
  return "";
}

nlohmann::ordered_json JsonCell(const DataCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return Printable(*text);
  if (const auto* count = std::get_if<int64_t>(&cell)) return *count;
  if (const auto* value = std::get_if<double>(&cell); value != nullptr && std::isfinite(*value)) return *value;
  return nullptr;
}

}  // namespace

std::string ToCsv(const DataTable& table) {
  std::string text;
  const auto add_line = [&](const auto& cells, const auto& text_of) {
    const char* separator = "";
    for (const auto& cell : cells) {
      absl::StrAppend(&text, separator, text_of(cell));
      separator = ",";
    }
    text += "\n";
  };
  add_line(table.columns, CsvText);
  for (const auto& row : table.rows) add_line(row, CsvCell);
  return text;
}

nlohmann::ordered_json ToJson(const DataTable& table) {
  auto rows = nlohmann::ordered_json::array();
  for (const auto& row : table.rows) {
    auto object = nlohmann::ordered_json::object();
    for (size_t c = 0; c < row.size() && c < table.columns.size(); ++c) object[table.columns[c]] = JsonCell(row[c]);
    rows.push_back(std::move(object));
  }
  return rows;
}

}  // namespace modelpatch::client::report
