import Glibc
import LuaHost

exit(Runner.main(Runner.commandLine))
