// DataTable: numbers for programs, one record a row; as CSV and as JSON. A plain value.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

namespace modelpatch::client::report {

// Nothing where a value is not defined.
using DataCell = std::variant<std::monostate, std::string, int64_t, double>;

struct DataTable {
  // The file's name without `.csv`, and the member's in report.json.
  std::string name;
  std::vector<std::string> columns;
  // As many cells as columns.
  std::vector<std::vector<DataCell>> rows;
};

// RFC 4180 with lines that end in a newline: the columns, then a line for each row. Numbers are written such that they
// read back as the same bits; what is not defined is empty.
std::string ToCsv(const DataTable& table);

// An array with an object for each row; what is not defined is null.
nlohmann::ordered_json ToJson(const DataTable& table);

}  // namespace modelpatch::client::report
