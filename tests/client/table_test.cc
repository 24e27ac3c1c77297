#include "client/cli/table.h"

#include <gtest/gtest.h>

namespace modelpatch::client {
namespace {

TEST(TableTest, AlignsColumns) {
  Table table({{"NAME"}, {"SIZE", Align::kRight}});
  table.AddRow({"a", "1"});
  table.AddRow({"longer", "1000"});
  EXPECT_EQ(table.Render(),
            "NAME    SIZE\n"
            "a          1\n"
            "longer  1000\n");
}

TEST(TableTest, CountsCharactersAndNotBytes) {
  Table table({{"α", Align::kRight}, {"x"}});
  table.AddRow({"0.5", "é"});
  table.AddRow({"1", "日本"});
  EXPECT_EQ(table.Render(),
            "  α  x\n"
            "0.5  é\n"
            "  1  日本\n");
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
}

TEST(TableTest, FillsMissingCellsAndDropsExtraOnes) {
  Table table({{"A"}, {"B"}});
  table.AddRow({"1"});
  table.AddRow({"1", "2", "3"});
  EXPECT_EQ(table.Render(), "A  B\n1\n1  2\n");
}

TEST(TableTest, LetsNoNameMoveTheCursor) {
  EXPECT_EQ(Printable("a\033[2Jb\n"), "a?[2Jb?");
  EXPECT_EQ(Printable("\xff\xc3"), "??");
  EXPECT_EQ(Printable("α"), "α");
  EXPECT_EQ(Printable("\xc2\x9b"), "?");
}

TEST(PropertiesTest, AlignsValuesAndLeavesOutEmptyOnes) {
  Properties lines;
  lines.Add("name", "m");
  lines.Add("nothing at all", "");
  lines.Add("logit scale", "100");
  EXPECT_EQ(lines.Render(),
            "name:         m\n"
            "logit scale:  100\n");
}

}  // namespace
}  // namespace modelpatch::client
