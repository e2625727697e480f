// Everything in these files begins with .jp-LabelStudio.
import "./panel.css";
import "./tab.css";
