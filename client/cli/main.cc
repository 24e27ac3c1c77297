#include <iostream>

#include "client/cli/app.h"

int main(int argc, char** argv) { return modelpatch::client::RunApp(argc, argv, std::cout, std::cerr); }
