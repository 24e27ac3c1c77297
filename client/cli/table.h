// Table: text in aligned columns. A plain value; not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelpatch::client {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // Missing cells are empty; cells beyond the columns are dropped.
  void AddRow(std::vector<std::string> cells);

  // The titles, then the rows, each line with a newline at its end and no spaces before it.
  std::string Render() const;

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// `label: value` lines, the values below each other.
class Properties {
 public:
  // Lines without a value are left out.
  void Add(std::string label, std::string value);
  std::string Render() const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

// How many columns of a terminal UTF-8 `text` takes. East Asian wide characters take two, combining marks none.
int DisplayWidth(std::string_view text);

// `text` with control characters and bytes that are not UTF-8 replaced by '?', so that no name can move the cursor.
std::string Printable(std::string_view text);

}  // namespace modelpatch::client
