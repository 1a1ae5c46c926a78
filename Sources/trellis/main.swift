import Glibc
import LuaHost

exit(Runner.main(CommandLine.arguments))
