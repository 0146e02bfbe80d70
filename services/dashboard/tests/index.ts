/** All unit tests, which need no browser: built like the page, and run by Node's own runner. */
import "./channels.test";
import "./charts.test";
import "./format.test";
import "./histogram.test";
import "./history.test";
import "./ladder.test";
import "./past.test";
import "./router.test";
import "./sparkline.test";
