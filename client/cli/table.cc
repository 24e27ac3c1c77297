#include "client/cli/table.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace modelpatch::client {
namespace {

constexpr int kGap = 2;

struct Character {
  uint32_t code = 0;
  size_t bytes = 1;
  bool valid = false;
};

Character FirstOf(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1, true};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {lead, 1, false};
  uint32_t code = lead & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return {lead, 1, false};
    code = (code << 6) | (next & 0x3Fu);
  }
  return {code, bytes, true};
}

int WidthOf(uint32_t code) {
  if (code >= 0x0300 && code <= 0x036F) return 0;
  const bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                    (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD);
  return wide ? 2 : 1;
}

std::string Pad(const std::string& text, int width, Align align) {
  const std::string spaces(static_cast<size_t>(std::max(0, width - DisplayWidth(text))), ' ');
  return align == Align::kRight ? spaces + text : text + spaces;
}

void TrimRight(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

int DisplayWidth(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Character character = FirstOf(text);
    width += character.valid ? WidthOf(character.code) : 1;
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string Printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character character = FirstOf(text);
    const bool control = character.code < 0x20 || (character.code >= 0x7F && character.code < 0xA0);
    if (character.valid && !control) {
      result.append(text.substr(0, character.bytes));
    } else {
      result += '?';
    }
    text.remove_prefix(character.bytes);
  }
  return result;
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Render() const {
  std::vector<int> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    int width = DisplayWidth(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[c]));
    widths.push_back(width);
  }
  std::string result;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) line.append(kGap, ' ');
      line += Pad(cell_of(c), widths[c], columns_[c].align);
    }
    TrimRight(line);
    result += line + "\n";
  };
  add_line([&](size_t c) { return columns_[c].title; });
  for (const auto& row : rows_) add_line([&](size_t c) { return row[c]; });
  return result;
}

void Properties::Add(std::string label, std::string value) {
  if (!value.empty()) lines_.emplace_back(std::move(label), Printable(value));
}

std::string Properties::Render() const {
  int width = 0;
  for (const auto& [label, value] : lines_) width = std::max(width, DisplayWidth(label));
  std::string result;
  for (const auto& [label, value] : lines_) result += Pad(label + ":", width + 1 + kGap, Align::kLeft) + value + "\n";
  return result;
}

}  // namespace modelpatch::client
