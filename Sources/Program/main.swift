import Callosum
import CallosumCommandLineTool

// The `callosum` program: the command line with every part of this version.
CommandLineTool.run(.all)
