// DisplayTable: a table for people, as HTML or as text. A plain value.
#pragma once

#include <string>
#include <vector>

namespace modelpatch::client::report {

struct DisplayColumn {
  std::string title;
  // Set to the right.
  bool numeric = false;
};

struct DisplayRow {
  std::vector<std::string> cells;
  // Stands out: what was chosen.
  bool marked = false;
};

struct DisplayTable {
  std::vector<DisplayColumn> columns;
  std::vector<DisplayRow> rows;

  bool empty() const { return rows.empty(); }
};

}  // namespace modelpatch::client::report
